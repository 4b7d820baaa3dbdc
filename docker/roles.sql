-- Run once by a new Postgres container: the runtime roles. They own nothing; migrations grant them what they need.
\getenv service POSTGRES_DB
\getenv service_password SERVICE_PASSWORD
create role :"service" login password :'service_password';
revoke all on database :"service" from public;
grant connect on database :"service" to :"service";

\getenv auditor_password AUDITOR_PASSWORD
\if :{?auditor_password}
    create role auditor login password :'auditor_password';
    grant connect on database :"service" to auditor;
\endif

\getenv relay_password RELAY_PASSWORD
\if :{?relay_password}
    create role relay login password :'relay_password';
    grant connect on database :"service" to relay;
\endif
