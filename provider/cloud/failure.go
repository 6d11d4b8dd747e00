package cloud

import "fmt"

// Failure is the error for what a vendor answered: it wraps kind, which is one of package
// provider's, and told, which is the vendor's own, and says what the user can do, if
// advice is not empty.
func Failure(kind, told error, advice string) error {
	if advice == "" {
		return fmt.Errorf("%w: %w", kind, told)
	}
	return fmt.Errorf("%w: %w: %s", kind, told, advice)
}
