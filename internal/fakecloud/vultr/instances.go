package vultr

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

func (c *Cloud) create(w http.ResponseWriter, r *http.Request) {
	i := make(Thing)
	_ = json.NewDecoder(r.Body).Decode(&i)
	userData, _ := i["user_data"].(string)
	_, notBase64 := base64.StdEncoding.DecodeString(userData)
	keys, _ := i["sshkey_id"].([]any)
	region, _ := i["region"].(string)
	switch {
	case !slices.Contains(available[region], fmt.Sprint(i["plan"])):
		refuse(w, http.StatusBadRequest, "Server add failed: Plan is not available in the selected datacenter.")
		return
	case notBase64 != nil:
		refuse(w, http.StatusBadRequest, "Invalid user_data, must be base64 encoded.")
		return
	case slices.ContainsFunc(keys, func(id any) bool { return index(c.Keys, fmt.Sprint(id)) < 0 }):
		refuse(w, http.StatusBadRequest, "Invalid sshkey_id.")
		return
	case i["os_id"] != float64(2136):
		refuse(w, http.StatusBadRequest, "Invalid os_id.")
		return
	case c.Most > 0 && len(c.Instances) >= c.Most:
		refuse(w, http.StatusBadRequest, "Server add failed: You have reached the maximum number of active virtual machines for this account. "+
			"For security reasons, please contact our support team to have the limit raised.")
		return
	}
	i["id"], i["made"] = c.id(), time.Now()
	i["power_status"], i["date_created"] = "running", time.Now().Format(time.RFC3339)
	i["main_ip"], i["v6_main_ip"] = fmt.Sprintf("198.18.%d.%d", c.last/250, c.last%250+1), "2001:db8::1"
	c.Instances = append(c.Instances, i)
	c.Made++
	answer(w, http.StatusAccepted, Thing{"instance": c.seen(i)})
}

// seen is an instance as it is shown now.
func (c *Cloud) seen(i Thing) Thing {
	shown := maps.Clone(i)
	for _, secret := range []string{"made", "user_data", "sshkey_id", "backups", "enable_ipv6", "activation_email", "block_devices"} {
		delete(shown, secret)
	}
	shown["status"], shown["server_status"] = "active", "ok"
	if c.young(i, c.Install) {
		shown["status"], shown["server_status"] = "pending", "locked"
		shown["main_ip"], shown["v6_main_ip"] = "0.0.0.0", ""
	}
	return shown
}

func (c *Cloud) one(w http.ResponseWriter, r *http.Request) {
	n := index(c.Instances, r.PathValue("id"))
	switch {
	case n < 0:
		refuse(w, http.StatusNotFound, "Instance not found.")
	case r.Method != http.MethodDelete:
		answer(w, http.StatusOK, Thing{"instance": c.seen(c.Instances[n])})
	case c.young(c.Instances[n], c.Install):
		refuse(w, http.StatusInternalServerError, "Unable to destroy server: Unable to remove VM: Server is currently locked")
	default:
		c.Instances = slices.Delete(c.Instances, n, n+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Cloud) order(w http.ResponseWriter, r *http.Request) {
	n, order := index(c.Instances, r.PathValue("id")), r.PathValue("order")
	power, known := map[string]string{"start": "running", "halt": "stopped", "reboot": "running"}[order]
	if n < 0 || !known {
		refuse(w, http.StatusNotFound, "Instance not found.")
		return
	}
	c.Instances[n]["power_status"] = power
	c.Orders = append(c.Orders, order)
	w.WriteHeader(http.StatusNoContent)
}
