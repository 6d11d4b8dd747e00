# nginx with a catch-all, so that an unknown name gets no site. Each site is
# one file in /etc/nginx/forge.d.

readonly nginx_conf=/etc/nginx/conf.d/forge.conf

nginx_conf() {
    cat <<'CONF'
# Written by forge.
server_names_hash_bucket_size 512;

server {
	listen 80 default_server;
	listen [::]:80 default_server;
	server_name _;
	server_tokens off;
	return 444;
}

server {
	listen 443 ssl default_server;
	listen [::]:443 ssl default_server;
	server_name _;
	server_tokens off;
CONF
    if [[ $os == ubuntu-22.04 ]]; then # its nginx cannot reject a handshake
        printf '\t%s\n' 'ssl_certificate /etc/ssl/certs/ssl-cert-snakeoil.pem;' \
            'ssl_certificate_key /etc/ssl/private/ssl-cert-snakeoil.key;'
    else
        printf '\tssl_reject_handshake on;\n'
    fi
    printf '\treturn 444;\n}\n\ninclude /etc/nginx/forge.d/*.conf;\n'
}

check_nginx() {
    installed nginx &&
        owned /etc/nginx/forge.d root:root 755 &&
        nginx_conf | holds "$nginx_conf" &&
        [[ ! -e /etc/nginx/sites-enabled/default ]] &&
        grep -qE '^[[:space:]]*server_tokens off;' /etc/nginx/nginx.conf &&
        grep -qE '^worker_shutdown_timeout ' /etc/nginx/nginx.conf &&
        running nginx
}

apply_nginx() {
    local old=/run/forge/nginx
    apt_install "${nginx_packages[@]}"
    directory /etc/nginx/forge.d
    install -d -o root -g root -m 0755 /etc/nginx/forge.d
    rm -rf "$old"
    cp -a /etc/nginx "$old"
    nginx_conf | put "$nginx_conf"
    if [[ -L /etc/nginx/sites-enabled/default ]]; then
        remember /etc/nginx/sites-enabled/default
    fi
    rm -f /etc/nginx/sites-enabled/default
    edit /etc/nginx/nginx.conf tune
    if ! nginx -t; then
        cp -a "$old/." /etc/nginx
        [[ -e $old${nginx_conf#/etc/nginx} ]] || rm -f "$nginx_conf"
        fail 'nginx does not take the configuration: it was put back as it was'
    fi
    rm -rf "$old"
    start nginx
    systemctl reload nginx
}

# A directive may stand once, and the distributions differ in whether it does.
# Without the timeout, each reload would leave a worker for as long as there is
# an open WebSocket.
tune() {
    sed -E '/^[[:space:]]*(server_tokens|worker_shutdown_timeout)[[:space:]]/d
        s/^http \{/worker_shutdown_timeout 1h;\n\n&\n\tserver_tokens off;/'
}
