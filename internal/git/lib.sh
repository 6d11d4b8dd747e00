# What the attached scripts on a repository begin with. They run as the site's
# user, and fail as git does.
export LC_ALL=C HOME=$1 GIT_SSH_COMMAND=$2 GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=ssh:https
export GIT_HTTP_LOW_SPEED_LIMIT=1 GIT_HTTP_LOW_SPEED_TIME=30
url=$3 branch=$4
