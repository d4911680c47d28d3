#!/usr/bin/env bash
# Apache Kafka as jars from Maven Central. Prints the folder of the jars.
. "$(dirname "$0")/cache.sh"
version=$(sed -n '/kafka_2.13/{n;s/.*<version>\(.*\)<.*/\1/p}' "$SETUP/kafka/pom.xml")

wanted "$CACHE/kafka/$version"
need mvn maven
say "fetching Apache Kafka $version from Maven Central (44 MB)"
quietly mvn -q -B -ntp -f "$SETUP/kafka/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$work"
ls "$work"/kafka_2.13-"$version".jar >/dev/null || fail "Maven answered, but there is no broker in '$work'"
finished
