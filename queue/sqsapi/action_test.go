package sqsapi

import "testing"

func TestActionsAreThoseOfTheService(t *testing.T) {
	if len(actions) != 23 {
		t.Errorf("%d actions, the service has 23", len(actions))
	}
	served := 0
	for _, do := range actions {
		if do != nil {
			served++
		}
	}
	if served != 5 {
		t.Errorf("%d actions are served, the package comment names 5", served)
	}
}
