-- The CRM warehouse. Runs at every opening: creates what is missing, changes nothing that stands.
-- "crm" and "pipeline" are schemas that stand already, or, in a file that is itself called
-- crm.duckdb or pipeline.duckdb, the database's own name.

-- One row a lead: the merge law over its observations, with the agent who gets it.
CREATE TABLE IF NOT EXISTS crm.leads (
    lead_id VARCHAR PRIMARY KEY,
    channel VARCHAR NOT NULL,
    status VARCHAR,
    entity_type VARCHAR,
    name VARCHAR,
    email VARCHAR,
    phone VARCHAR,
    phone_e164 VARCHAR,
    whatsapp_username VARCHAR,
    message VARCHAR,
    listing_id VARCHAR,
    listing_reference VARCHAR,
    listing_title VARCHAR,
    portal_agent_id VARCHAR,
    portal_agent_kind VARCHAR,
    portal_agent_name VARCHAR,
    property_ref VARCHAR,
    agent_id VARCHAR,
    assignment_rule VARCHAR NOT NULL,
    assignment_reason VARCHAR,
    assigned_at TIMESTAMPTZ,
    response_link VARCHAR,
    tags JSON,
    extra JSON,
    created_at TIMESTAMPTZ NOT NULL,
    first_seen_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- Everything that was ever observed of a lead, equal contents once. What the merge law reads.
CREATE TABLE IF NOT EXISTS pipeline.lead_observations (
    lead_id VARCHAR,
    observed_by VARCHAR,
    content_id VARCHAR,
    first_observed_at TIMESTAMPTZ NOT NULL,
    last_observed_at TIMESTAMPTZ NOT NULL,
    first_received_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    channel VARCHAR NOT NULL,
    status VARCHAR,
    entity_type VARCHAR,
    name VARCHAR,
    email VARCHAR,
    phone VARCHAR,
    phone_e164 VARCHAR,
    whatsapp_username VARCHAR,
    message VARCHAR,
    listing_id VARCHAR,
    listing_reference VARCHAR,
    reference_key VARCHAR,
    listing_title VARCHAR,
    portal_agent_id VARCHAR,
    portal_agent_kind VARCHAR,
    portal_agent_name VARCHAR,
    response_link VARCHAR,
    recording_url VARCHAR,
    talk_seconds BIGINT,
    wait_seconds BIGINT,
    tags VARCHAR,
    extra VARCHAR,
    PRIMARY KEY (lead_id, observed_by, content_id)
);

-- A load looks up what is known of its leads; the primary key begins with the lead, but DuckDB uses
-- an index only for the whole of it.
CREATE INDEX IF NOT EXISTS observations_of_lead ON pipeline.lead_observations (lead_id);

-- The portal's own people and listings, replaced as a whole when they were read anew: by them the
-- rules know agents and owners whom the brokerage's own data does not name.
CREATE TABLE IF NOT EXISTS pipeline.portal_users (
    portal_user_id VARCHAR PRIMARY KEY,
    portal_profile_id VARCHAR,
    email VARCHAR,
    profile_email VARCHAR,
    status VARCHAR
);

CREATE TABLE IF NOT EXISTS pipeline.portal_listings (
    portal_listing_id VARCHAR PRIMARY KEY,
    reference VARCHAR NOT NULL,
    reference_key VARCHAR,
    portal_profile_id VARCHAR,
    state VARCHAR
);

-- How far the deliveries of a webhook inbox are loaded, in the transaction that loads them.
CREATE TABLE IF NOT EXISTS pipeline.webhook_cursors (
    inbox_id VARCHAR PRIMARY KEY,
    number BIGINT NOT NULL
);

-- The agent whom the rules gave a lead last: another one in crm.leads was set by a person.
CREATE TABLE IF NOT EXISTS pipeline.given_agents (
    lead_id VARCHAR PRIMARY KEY,
    agent_id VARCHAR
);

CREATE TABLE IF NOT EXISTS crm.call_recordings (
    lead_id VARCHAR PRIMARY KEY,
    recording_url VARCHAR NOT NULL,
    talk_seconds BIGINT,
    wait_seconds BIGINT,
    agent_id VARCHAR,
    first_seen_at TIMESTAMPTZ NOT NULL
);

-- Each change of a lead, once: kind is status, agent or recording; value is what it became.
CREATE TABLE IF NOT EXISTS crm.lead_events (
    lead_id VARCHAR,
    kind VARCHAR,
    value VARCHAR,
    occurred_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (lead_id, kind, value)
);

CREATE TABLE IF NOT EXISTS crm.rejected_leads (
    received_from VARCHAR NOT NULL,
    partition_key VARCHAR NOT NULL,
    lead_id VARCHAR,
    reason VARCHAR NOT NULL,
    raw VARCHAR NOT NULL,
    received_at TIMESTAMPTZ NOT NULL
);

-- The brokerage's listings and people, replaced as a whole from the reference data, with whatever
-- further columns that has.
CREATE TABLE IF NOT EXISTS crm.properties (internal_ref VARCHAR, agent_id VARCHAR);

CREATE TABLE IF NOT EXISTS crm.agents (
    agent_id VARCHAR,
    name VARCHAR,
    email VARCHAR,
    portal_user_id VARCHAR,
    portal_profile_id VARCHAR,
    active BOOLEAN
);
