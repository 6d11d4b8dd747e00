# PostgreSQL on loopback. Its postgres stays on socket authentication; forge may
# make databases and owns those.

need_password db_password

check_postgresql() {
    installed "${database_packages[@]}" && running postgresql && loopback_only 5432 && postgresql_login
}

apply_postgresql() {
    apt_install "${database_packages[@]}"
    start postgresql
    if ! loopback_only 5432; then
        echo "ALTER SYSTEM SET listen_addresses = 'localhost';" | psql_root
        systemctl restart postgresql
    fi
    postgresql_user | psql_root
}

psql_root() {
    runuser -u postgres -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres
}

# A statement that fails would be logged with the password in it.
postgresql_user() {
    cat <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SELECT 'CREATE ROLE forge' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'forge') \gexec
SQL
    printf "ALTER ROLE forge WITH LOGIN CREATEDB NOSUPERUSER NOCREATEROLE PASSWORD '" &&
        password db_password | tr -d '\n' && echo "';"
}

postgresql_login() {
    local status=0
    client_file '*:*:*:forge:%s'
    PGPASSFILE=$client_file psql --no-psqlrc --no-password --host=127.0.0.1 --username=forge \
        --dbname=postgres --command='SELECT 1' >/dev/null 2>&1 || status=$?
    rm -f -- "$client_file"
    return "$status"
}
