set :application, "bench"
set :repo_url, "/home/forge/origin.git"
set :branch, "main"
set :deploy_to, "/home/forge/capistrano"
set :keep_releases, 5
set :format, :simpletext
set :log_level, :error
set :ssh_options, {
  config: false, keys: [ENV.fetch("BENCH_KEY")], keys_only: true, auth_methods: ["publickey"],
  user_known_hosts_file: ENV.fetch("BENCH_KNOWN_HOSTS"), verify_host_key: :always,
}
