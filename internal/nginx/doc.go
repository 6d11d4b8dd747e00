// Package nginx generates the virtual hosts of sites. Its input was validated
// before; it is checked again here, as what comes out is read by root.
package nginx
