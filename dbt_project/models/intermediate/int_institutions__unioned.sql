-- One row per institution of a source; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('institutions') }}
