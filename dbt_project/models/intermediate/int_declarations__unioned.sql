-- One row per status that a person declared on a source record; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('declarations') }}
