-- Sessions: who is signed in on which device, and which sessions never open again; the provider's ids, no tokens.

create table sessions (
    id uuid primary key,
    user_id uuid not null,
    opened_at timestamptz not null default clock_timestamp(),
    -- To within five minutes.
    seen_at timestamptz not null default clock_timestamp(),
    -- When the last access token that was seen of it ends.
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_because text,
    check ((revoked_at is null) = (revoked_because is null))
);

create index sessions_user on sessions (user_id);
-- What every API process asks for every two seconds.
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

-- No session that began before this moment opens for that user, whether we have seen it or not.
create table sign_outs (
    user_id uuid primary key,
    at timestamptz not null
);

-- The refresh tokens of a session, hashed (SHA-256); all but the last are used, and show a thief when they come back.
create table refresh_tokens (
    hash bytea primary key,
    session_id uuid not null references sessions (id) on delete cascade,
    used_at timestamptz
);

create index refresh_tokens_session on refresh_tokens (session_id);

grant select, insert, update on sessions, sign_outs, refresh_tokens to afterschool_app;
grant delete on refresh_tokens to afterschool_app;
