"""Every number that decides about links, with its name. Trained parameters are not here: they are a dated artefact."""

# A candidate pair whose match weight reaches this is a link, if no constraint forbids it.
LINK_WEIGHT = 1.5
# A pair for which only a district speaks beside the name needs this much.
LOOSE_LINK_WEIGHT = 3.0
# From here up to the link weight a pair is undecided and waits for a person.
REVIEW_WEIGHT = 0.0
# A name that so many records of one household or of one account repeat is somebody, number and birth date or not.
FOUNDING_RECORDS = 3
# Two best partners nearer to each other than this are a tie: both go to review, neither is taken.
TIE_MARGIN = 2.0
# Of two people who may be twins, the one who is meant leads by so much in what is told whatever the names: a phone, a
# home or an account that is known of one only weighs less; one that is known to be another for the other weighs more.
TWIN_MARGIN = 8.0

# Declared weight (bits) of mentions that collapse because name, birth date and the rest say the same.
IDENTICAL_MENTIONS_WEIGHT = 20.0

# Declared match weights of deterministic links (bits), by how the name agrees with the owner of the number.
NUMBER_WEIGHTS = {
    "id": 40.0,
    "id+same_sound": 34.0,
    "id+one_char": 30.0,
    "id+unreadable_char": 30.0,
    "id+same_given": 28.0,
    "id+surname_syllable": 26.0,
    "id+birth": 26.0,
    "id+polite_form": 24.0,
    "id+no_name": 20.0,
}
# Certainty of a link by number, by the same reasons; a probabilistic link takes the probability of its weight, capped.
NUMBER_CONFIDENCE = {
    "id": 0.999,
    "id+same_sound": 0.995,
    "id+one_char": 0.99,
    "id+unreadable_char": 0.99,
    "id+same_given": 0.98,
    "id+surname_syllable": 0.97,
    "id+birth": 0.95,
    "id+polite_form": 0.95,
    "id+no_name": 0.9,
}
SINGLE_CONFIDENCE = 0.9
# A link that a person decided: declared weight (bits) and certainty.
DECISION_WEIGHT = 60.0
DECISION_CONFIDENCE = 0.999
PROBABILISTIC_CONFIDENCE_CAP = 0.98

# A sound number under so many names that do not agree with one another is a placeholder, unless its owner's name
# stands on at least the given share of the places that carry the number.
PLACEHOLDER_NAMES = 3
PLACEHOLDER_OWNER_SHARE = 0.5
# How the claims of names to one number are weighed against each other (points per place).
CLAIM_POINTS_BIRTH_AGREES = 2
CLAIM_POINTS_BIRTH_DIFFERS = -4
CLAIM_POINTS_SEX_DIFFERS = -4
# A best claim with no more points than this is no claim: birth date and sex both speak against it.
CLAIM_FLOOR = -6

# A blocking key carried by more nodes than this is too common to propose pairs.
BLOCK_LIMITS = {
    "sound_birth": 40,
    "sound_phone": 30,
    "sound_address": 30,
    "sound_household": 30,
    "sound_account": 30,
    "sound_kin": 30,
    "sound_kin_name": 30,
    "sound_number_head": 60,
    "number_claim": 20,
    "number_first14": 30,
    "number_last8": 30,
    "number_ends": 30,
    "surname_phone": 12,
    "surname_kin": 20,
    "surname_household": 20,
    "account": 6,
    "birth_phone": 12,
    "birth_address": 12,
    "birth_kin": 12,
    "given_birth": 20,
    "surname_birth": 60,
    "sound_district": 4,
    "sound_alone": 3,
}
# A name carried by at most so many sound numbers is rare, by more than the second figure common.
RARE_NAME_ANCHORS = 1
COMMON_NAME_ANCHORS = 12
# A birthday kept by the lunar calendar and written as solar is off by less than this.
LUNAR_DAYS = 70
# A phone or an address on at most this many nodes is rare: it speaks for one family.
RARE_PHONE_NODES = 4
RARE_ADDRESS_NODES = 6
# Records naming more people than this tell nothing about who is kin of whom.
KIN_GROUP_LIMIT = 12

# Training: share of a number's places whose number is hidden, and, of these, the share left as a damaged number.
HIDDEN_SHARE = 0.12
DAMAGED_SHARE = 0.3
# How firmly the fit is held to what is believed beforehand: of a level, and of being a candidate pair at all.
RIDGE = 0.5
RIDGE_OF_PRIOR = 0.01
FIT_STEPS = 200
# Weights (bits) believed before training of levels that hidden numbers can hardly show.
BELIEVED_WEIGHTS = {
    "number": {"same": 8.0, "one_edit": 6.0, "two_edits": 3.0, "different": -4.0},
    "document": {"same": 10.0, "different": -1.0},
    "certificate": {"same": 8.0, "different": -2.0},
    "account": {"same": 4.0},
    "name": {"surname": -6.0, "different": -8.0, "one_char_of_two": -2.0, "same_given": -3.0, "polite_form": -1.0},
    "sex": {"different": -3.0},
}

# Clerical samples: weights (bits) at which a band of linked, and of not linked, pairs ends; the floor of what is asked.
SAMPLE_LINK_BANDS = (20.0, 10.0, 5.0)
SAMPLE_NEAR_BANDS = (10.0, LINK_WEIGHT, REVIEW_WEIGHT)
SAMPLE_NEAR_FLOOR = -5.0
