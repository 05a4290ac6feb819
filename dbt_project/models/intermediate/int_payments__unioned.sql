-- One row per payment record, in the state of its latest delivery; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('payments') }}
