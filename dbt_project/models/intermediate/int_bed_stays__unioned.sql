-- One row per bed stay record; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('bed_stays') }}
