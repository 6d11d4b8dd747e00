package sshexec

// PoolStats counts what a Pool holds now.
type PoolStats struct {
	Conns    int // connections to servers
	Sessions int // what uses them: commands and transfers
}

// Stats counts what the pool holds now.
func (p *Pool) Stats() PoolStats {
	var s PoolStats
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, srv := range p.servers {
		s.Conns += len(srv.conns)
		for _, c := range srv.conns {
			s.Sessions += c.busy + c.reserve
		}
	}
	return s
}
