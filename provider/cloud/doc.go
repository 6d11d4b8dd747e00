// Package cloud has what adapters for clouds have in common: keeping to the
// vendor's rate limit, asking for many machines at once instead of one by one,
// a catalogue of some age, the user data that makes the first connection to a
// machine safe, and finding out what became of an order that was not answered. An
// adapter of one's own can use it like those of this module.
package cloud
