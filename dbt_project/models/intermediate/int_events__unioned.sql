-- One row per participant and event of a source record; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('events') }}
