check_node() { # check_node MAJOR
    installed "${node_packages[@]}" && [[ $(node --version) == v"$1".* ]]
}

apply_node() {
    apt_install "${node_packages[@]}"
}
