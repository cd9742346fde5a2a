package queuetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// A configurable queue is one whose settings can change while it lives.
type configurable interface {
	Config() queue.Config
	Reconfigure(ctx context.Context, cfg queue.Config) error
}

// reconfigure changes the queue's settings, or skips the case.
func (d *desk) reconfigure(change func(cfg *queue.Config)) {
	d.Helper()
	live := ability[configurable](d, d.q)
	cfg := live.Config()
	change(&cfg)
	require.NoError(d, live.Reconfigure(d.Context(), cfg), "Reconfigure")
}

var reconfigureCases = []testCase{
	{
		name: "Contract/Config/defaults-filled-in",
		rule: "Config returns the configuration with its defaults filled in",
		test: func(d *desk) {
			cfg := ability[configurable](d, d.q).Config()
			require.Equal(d, queue.DefaultVisibility, cfg.VisibilityTimeout, "VisibilityTimeout")
			require.Equal(d, queue.DefaultRetention, cfg.Retention, "Retention")
			require.Equal(d, queue.MaxMessage, cfg.MaxMessageSize, "MaxMessageSize")
		},
	},
	{
		name: "Contract/Config/really-zero-stays-zero",
		rule: "what was set to really zero is so still after Reconfigure with what Config returned",
		cfg:  queue.Config{VisibilityTimeout: queue.None, Delay: queue.None, ReceiveWait: queue.None},
		test: func(d *desk) {
			d.reconfigure(func(*queue.Config) {})
			d.send("a")
			start := time.Now()
			for n := 1; n <= 3; n++ {
				got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{})
				require.NoError(d, err)
				require.Equal(d, []string{"a"}, bodies(got), "bodies of receive %d", n)
			}
			d.purge()
			_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{})
			require.NoError(d, err)
			require.Zero(d, time.Since(start), "duration of a receive that does not wait")
		},
	},
	{
		name: "Contract/Reconfigure/config-tells",
		rule: "Config returns what was set last",
		cfg:  queue.Config{VisibilityTimeout: time.Minute, MaxMessageSize: 2048},
		test: func(d *desk) {
			live := ability[configurable](d, d.q)
			require.Equal(d, time.Minute, live.Config().VisibilityTimeout, "VisibilityTimeout")
			require.Equal(d, 2048, live.Config().MaxMessageSize, "MaxMessageSize")
			require.Equal(d, d.name("orders"), live.Config().Name, "Name")
			d.reconfigure(func(cfg *queue.Config) { cfg.VisibilityTimeout = time.Hour })
			require.Equal(d, time.Hour, live.Config().VisibilityTimeout, "VisibilityTimeout")
			require.Equal(d, 2048, live.Config().MaxMessageSize, "MaxMessageSize")
		},
	},
	{
		name: "Reference/4.4/visibility-of-later-receives",
		rule: "a changed visibility timeout concerns later receives, not messages in flight",
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			d.one("a")
			d.reconfigure(func(cfg *queue.Config) { cfg.VisibilityTimeout = time.Second })
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
			d.receivableAt(start.Add(queue.DefaultVisibility+time.Second), "a")
		},
	},
	{
		name: "Contract/Reconfigure/wait",
		rule: "a changed wait concerns later receives",
		test: func(d *desk) {
			d.reconfigure(func(cfg *queue.Config) { cfg.ReceiveWait = 3 * time.Second })
			start := time.Now()
			_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{})
			require.NoError(d, err)
			require.Equal(d, 3*time.Second, time.Since(start), "duration of the receive")
		},
	},
	{
		name: "Contract/Reconfigure/size",
		rule: "a lowered size limit concerns later sends, not messages already there",
		test: func(d *desk) {
			body := string(make([]byte, 0, 2000))
			for len(body) < 2000 {
				body += "0123456789"
			}
			d.send(body)
			d.reconfigure(func(cfg *queue.Config) { cfg.MaxMessageSize = 1024 })
			d.refusedMessage(queue.ErrMessageTooLarge, d.message(body))
			d.one(body)
		},
	},
	{
		name: "Contract/Reconfigure/retention-wakes-nobody",
		rule: "a lowered retention takes effect also when nobody calls afterwards",
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			d.reconfigure(func(cfg *queue.Config) { cfg.Retention, cfg.VisibilityTimeout = time.Minute, 5*time.Second })
			time.Sleep(45 * time.Second)
			d.oneFor(15*time.Second, "a")
			d.park(queue.ReceiveOptions{}).getsNothing(queue.MaxWait)
			require.EqualValues(d, 1, d.stats().Expired, "Stats.Expired")
		},
	},
	{
		name: "Contract/Reconfigure/refused",
		rule: "a refused Reconfigure changes no setting",
		test: func(d *desk) {
			live := ability[configurable](d, d.q)
			before := live.Config()
			for _, change := range []func(cfg *queue.Config){
				func(cfg *queue.Config) { cfg.VisibilityTimeout = queue.MaxVisibility + 1 },
				func(cfg *queue.Config) { cfg.VisibilityTimeout, cfg.Delay = time.Hour, -2 },
				func(cfg *queue.Config) { cfg.VisibilityTimeout, cfg.Retention = time.Hour, time.Second },
				func(cfg *queue.Config) { cfg.VisibilityTimeout, cfg.ReceiveWait = time.Hour, time.Hour },
				func(cfg *queue.Config) { cfg.VisibilityTimeout, cfg.MaxMessageSize = time.Hour, 1 },
			} {
				cfg := before
				change(&cfg)
				d.refused(queue.ErrInvalidParameter, func() error { return live.Reconfigure(d.Context(), cfg) })
				require.Equal(d, before, live.Config(), "Config after a refused Reconfigure")
			}
		},
	},
	{
		name:        "Contract/Reconfigure/dead-letter-removed",
		rule:        "without its dead-letter rule a queue goes on delivering",
		maxReceives: 1,
		test: func(d *desk) {
			d.send("a")
			d.change(d.one("a").Receipt, 0)
			d.reconfigure(func(cfg *queue.Config) { cfg.DeadLetter = queue.DeadLetter{} })
			require.Equal(d, 2, d.one("a").ReceiveCount, "ReceiveCount")
			d.at(d.dead).nothing()
		},
	},
}
