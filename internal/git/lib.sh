# What the attached scripts on a repository begin with. They run as the site's
# user, and fail as git does. Their environment comes on stdin.
while IFS= read -r -d '' variable; do
	export "${variable?}"
done
export LC_ALL=C GIT_ALLOW_PROTOCOL=ssh:https
url=$1 branch=$2
