package forge

import "time"

// DeliveryResult says what became of a delivery.
type DeliveryResult string

// The results of deliveries.
const (
	DeliveryDeployed DeliveryResult = "deployed" // it triggered Delivery.Deployment, or a pending one covers it
	DeliveryIgnored  DeliveryResult = "ignored"  // it asks for no deployment; see Delivery.Reason
	DeliveryRefused  DeliveryResult = "refused"  // the site cannot be deployed now; see Delivery.Reason
)

// Delivery is one authentic webhook that was received for a site. It is kept so
// that the same one, sent again, triggers nothing.
type Delivery struct {
	ID     string
	Owner  string
	Site   string
	Source string // as "github"
	Key    string // what the sender calls it, unique for a site
	// Digest is the SHA-256 in hex of its body, unique for a site; of Key and the
	// body where the sender shows the secret instead of signing the body. It is ID
	// where the same body came again as another push.
	Digest string
	Branch string
	Commit string // the branch's head after the push

	Result     DeliveryResult
	Reason     string
	Deployment string // empty where none was triggered

	Created time.Time
}

// Clone returns a copy.
func (d *Delivery) Clone() *Delivery { c := *d; return &c }

// DeliveryFilter selects deliveries.
type DeliveryFilter struct {
	Owner  string
	Site   string
	Key    string
	Digest string
	// CreatedBefore selects those that came before this time.
	CreatedBefore time.Time
}
