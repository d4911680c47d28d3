#!/usr/bin/env bash
# The Apicurio schema registry from Maven Central. Prints its folder, which holds `quarkus-run.jar`.
. "$(dirname "$0")/cache.sh"
version=3.3.3

wanted "$CACHE/apicurio/$version"
need mvn maven
say "fetching the Apicurio registry $version from Maven Central (152 MB)"
quietly mvn -q -B -ntp org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$work/download"
mkdir "$work/unpacked"
tar -xzf "$work"/download/*.tar.gz -C "$work/unpacked"
jar=$(find "$work/unpacked" -maxdepth 2 -name quarkus-run.jar)
[ -f "$jar" ] || fail "the archive holds no 'quarkus-run.jar'"
finished "$(dirname "$jar")"
