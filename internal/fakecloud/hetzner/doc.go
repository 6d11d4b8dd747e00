// Package hetzner is a fake of Hetzner Cloud's API in this process. It keeps what
// is made, and answers as the vendor does, also to what is wrong.
package hetzner

//go:generate go run ../trim -in $HETZNER_OPENAPI -out openapi.json "GET /servers" "POST /servers" "GET /servers/{id}" "DELETE /servers/{id}" "POST /servers/{id}/actions/poweron" "POST /servers/{id}/actions/poweroff" "POST /servers/{id}/actions/reboot" "POST /servers/{id}/actions/change_type" "POST /servers/{id}/actions/rebuild" "POST /servers/{id}/actions/enable_backup" "GET /ssh_keys" "POST /ssh_keys" "DELETE /ssh_keys/{id}" "GET /locations" "GET /server_types" "GET /images" "GET /pricing"
