-- Run once by a new Postgres container: the runtime roles. They own nothing; migrations grant them what they need.
-- A role may connect to its service's database alone, and no role may take all connections: of max_connections=200
-- at least 40 are left to the owner.
\getenv service POSTGRES_DB
\getenv service_password SERVICE_PASSWORD
create role :"service" login password :'service_password' connection limit 100;
revoke all on database :"service", postgres, template1 from public;
grant connect on database :"service" to :"service";

\getenv auditor_password AUDITOR_PASSWORD
\if :{?auditor_password}
    create role auditor login password :'auditor_password' connection limit 40;
    grant connect on database :"service" to auditor;
\endif

\getenv relay_password RELAY_PASSWORD
\if :{?relay_password}
    create role relay login password :'relay_password' connection limit 20;
    grant connect on database :"service" to relay;
\endif
