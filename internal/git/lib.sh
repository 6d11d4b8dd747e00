# What the attached scripts on a repository begin with. They run as the site's
# user, and fail as git does.
export LC_ALL=C GIT_SSH_COMMAND=$1 GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=ssh:https
export GIT_HTTP_LOW_SPEED_LIMIT=1 GIT_HTTP_LOW_SPEED_TIME=30
url=$2 branch=$3
