# MariaDB or MySQL on loopback. Its root stays on socket authentication; forge
# owns every database but the server's own: a narrow grant for one database
# hides the wide one.

need_password db_password

mysql_conf() { # mysql_conf SERVER
    printf '%s\n' '# Written by forge.' '[mysqld]' 'bind-address = 127.0.0.1'
    [[ $1 == mariadb ]] || echo 'mysqlx-bind-address = 127.0.0.1'
}

check_mysql() { # check_mysql mariadb|mysql
    installed "$1-server" &&
        mysql_conf "$1" | holds "/etc/mysql/$1.conf.d/zz-forge.cnf" &&
        running "$1" &&
        loopback_only 3306 &&
        mysql_login "$1"
}

apply_mysql() {
    apt_install "${database_packages[@]}"
    install -d "/etc/mysql/$1.conf.d"
    mysql_conf "$1" | put "/etc/mysql/$1.conf.d/zz-forge.cnf"
    systemctl enable --quiet "$1"
    systemctl restart "$1"
    mysql_user | "$1" --user=root --batch
}

mysql_user() {
    local host database
    for host in localhost 127.0.0.1; do
        printf "CREATE USER IF NOT EXISTS 'forge'@'%s';\n" "$host"
        printf "ALTER USER 'forge'@'%s' IDENTIFIED BY '" "$host" && password db_password | tr -d '\n' && echo "';"
        printf "GRANT ALL PRIVILEGES ON \`%%\`.* TO 'forge'@'%s';\n" "$host"
        for database in mysql sys; do
            printf "GRANT SHOW VIEW ON \`%s\`.* TO 'forge'@'%s';\n" "$database" "$host"
        done
    done
}

mysql_login() { # mysql_login SERVER
    local status=0
    client_file $'[client]\nuser=forge\nhost=127.0.0.1\npassword=%s'
    "$1" --defaults-extra-file="$client_file" --execute='SELECT 1' >/dev/null 2>&1 || status=$?
    rm -f -- "$client_file"
    return "$status"
}
