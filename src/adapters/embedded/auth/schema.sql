-- The stand-in's own tables. No e-mail and no metadata in clear, no password, no refresh token: sealed or hashed.

create schema if not exists auth_standin;

create table if not exists auth_standin.users (
    id uuid primary key,
    email_hmac bytea not null constraint users_email unique,
    sealed bytea not null,
    password text,
    role text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    confirmed_at timestamptz,
    last_sign_in_at timestamptz,
    banned_until timestamptz
);

create index if not exists users_created on auth_standin.users (created_at, id);

create table if not exists auth_standin.sessions (
    id uuid primary key,
    user_id uuid not null references auth_standin.users (id) on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    not_after timestamptz not null
);

create index if not exists sessions_user on auth_standin.sessions (user_id);

create table if not exists auth_standin.refresh_tokens (
    hash bytea primary key,
    session_id uuid references auth_standin.sessions (id) on delete cascade,
    parent bytea,
    revoked boolean not null default false,
    created_at timestamptz not null default clock_timestamp()
);

alter table auth_standin.refresh_tokens add column if not exists used_at timestamptz;

create index if not exists refresh_tokens_session on auth_standin.refresh_tokens (session_id);
create unique index if not exists refresh_tokens_active on auth_standin.refresh_tokens (session_id) where not revoked;
