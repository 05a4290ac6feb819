-- One row per assisted household and month, as its source reports it; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('household_months') }}
