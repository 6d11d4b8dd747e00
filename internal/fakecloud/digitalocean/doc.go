// Package digitalocean is a fake of DigitalOcean's API in this process. It keeps
// what is made, and answers as the vendor does, also to what is wrong.
package digitalocean

//go:generate go run ../trim -in $DIGITALOCEAN_OPENAPI -out openapi.json "GET /v2/account/keys" "POST /v2/account/keys" "GET /v2/account/keys/{ssh_key_identifier}" "DELETE /v2/account/keys/{ssh_key_identifier}" "GET /v2/droplets" "POST /v2/droplets" "GET /v2/droplets/{droplet_id}" "DELETE /v2/droplets/{droplet_id}" "POST /v2/droplets/{droplet_id}/actions" "GET /v2/firewalls/{firewall_id}" "POST /v2/firewalls/{firewall_id}/tags" "GET /v2/images" "GET /v2/images/{image_id}" "GET /v2/regions" "GET /v2/sizes" "POST /v2/tags" "GET /v2/tags/{tag_id}" "DELETE /v2/tags/{tag_id}"
