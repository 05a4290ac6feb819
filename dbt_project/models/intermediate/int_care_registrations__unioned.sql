-- One row per registration of a person with a care system; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('care_registrations') }}
