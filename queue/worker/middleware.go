package worker

// A Middleware makes a Handler of another one, to do something before and after it, or
// instead of it: to measure, to give it a time limit, to choose what becomes of its errors.
type Middleware func(Handler) Handler

// With returns h inside all of m: the first of m is the outermost, so it is called first and
// sees last what the others return. With no m it returns h.
func With(h Handler, m ...Middleware) Handler {
	for i := len(m) - 1; i >= 0; i-- {
		h = m[i](h)
	}
	return h
}
