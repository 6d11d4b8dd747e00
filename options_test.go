package forge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

func everyOption() provider.Offered {
	return provider.Offered{UserData: true, Backups: true, Monitoring: true, Network: true, Firewalls: true, IPv6Only: true}
}

func TestOptionsReachTheProvider(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{Properties: provider.Properties{Options: everyOption()}}).installs()
		defer w.start()()
		asked := provider.Options{UserData: "#cloud-config\npassword: swordfish\n", Backups: true, Monitoring: true,
			Network: "17", Firewalls: []string{"4", "5"}, IPv6Only: true}
		srv, a := w.create(func(o *forge.ServerOpts) { o.Options = asked })
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, asked, w.cloud.Calls()[0].Spec.Options)

		srv = w.read(srv.ID)
		require.Empty(t, srv.Options.UserData, "it may hold secrets")
		require.NotContains(t, string(srv.UserData), "swordfish")
		deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), deleted.ID)
		require.NoError(t, err)
		require.Empty(t, w.read(srv.ID).UserData)
	})
}

func TestOptionsThatAreNotOfferedAreRefused(t *testing.T) {
	t.Parallel()
	w := idle(t)
	before := w.contents()
	for field, options := range map[string]provider.Options{
		"user_data": {UserData: "#!/bin/sh\n"}, "backups": {Backups: true}, "monitoring": {Monitoring: true},
		"network": {Network: "17"}, "firewalls": {Firewalls: []string{"4"}}, "ipv6_only": {IPv6Only: true},
	} {
		_, _, err := w.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud", Options: options})
		var broken *forge.Error
		require.ErrorAs(t, err, &broken)
		require.ErrorIs(t, err, forge.ErrInvalid)
		require.Equal(t, field, broken.Field)
		require.Contains(t, broken.Rule, "must be left away")
	}
	require.Equal(t, before, w.contents())
}

func TestOptionsOfABadForm(t *testing.T) {
	t.Parallel()
	for field, all := range map[string][]provider.Options{
		"user_data": {{UserData: "rm -rf /"}, {UserData: "#!\x00"}, {UserData: "\x1f\x8b\x08"}, {UserData: "#" + strings.Repeat("x", 64<<10)}},
		"network":   {{Network: "-rf"}, {Network: "a b"}, {Network: "$(id)"}},
		"firewalls": {{Firewalls: []string{"4", ""}}, {Firewalls: []string{"a\nb"}}},
	} {
		for _, options := range all {
			err := forge.ServerOpts{Name: "web-1", Provider: "cloud", Options: options}.Validate()
			var broken *forge.Error
			require.ErrorAs(t, err, &broken, "%s %+v", field, options)
			require.Equal(t, field, broken.Field)
			require.NotContains(t, err.Error(), "rm -rf /")
		}
	}
}
