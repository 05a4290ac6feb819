-- One row per citizen and period in which two of the citizen's marriages overlap.
--
-- Holds when a marriage to another person begins while an earlier one has not ended by divorce, annulment or the
-- spouse's death. Annulled marriages are gone; re-issued certificates restate a marriage and begin none.
-- A death linked only by probability ends a marriage here too: nobody is accused on a marriage that has probably ended.
-- So does a funeral that the citizen arranged as the spouse of the deceased, whoever that is to identity.
-- Court divorces are in no silo: most of these leads are a court divorce that only the court knows, and the caseworker
-- asks for the judgment first. No money is at stake. Two registrations of one couple are one marriage restated.
-- Traps: a spouse named once with and once without a number may be two citizens.
with marriages as (

    select * from {{ ref('int_marriages__dated') }} where not is_restated and married_on is not null

),

cases as (

    select
        later.citizen_id,
        cast(null as varchar) as household_key,
        later.married_on as case_from,
        case
            when least(earlier.possible_end, later.possible_end) < {{ far_future() }}
                then greatest(later.married_on, least(earlier.possible_end, later.possible_end))
        end as case_to,
        0 as amount_yuan,
        earlier.is_certain and later.is_certain as is_certain,
        {{ evidence_of(['earlier', 'later']) }} as evidence
    from marriages as later
    inner join marriages as earlier
        on later.citizen_id = earlier.citizen_id
        and (earlier.married_on < later.married_on
            or (earlier.married_on = later.married_on and earlier.marriage_key < later.marriage_key))
        and earlier.possible_end > later.married_on
        and coalesce(earlier.couple_key, earlier.marriage_key) <> coalesce(later.couple_key, later.marriage_key)
    where not exists (
        select 1
        from {{ ref('int_spouses__buried') }} as b
        where b.citizen_id = earlier.citizen_id and b.event_date between earlier.married_on and later.married_on
    )

)

{{ leads_from_cases('two_open_marriages', 'B') }}
