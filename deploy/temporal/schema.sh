#!/bin/sh
# Makes Temporal's two databases and brings their schemas to the version of this image.
# What is there already is left as it is, so it runs at every start and at every upgrade.
set -eu

prepare() {
    temporal-sql-tool --database "$1" create-database
    temporal-sql-tool --database "$1" setup-schema --version 0.0
    temporal-sql-tool --database "$1" update-schema --schema-name "postgresql/v12/$2"
}

prepare temporal temporal
prepare temporal_visibility visibility
