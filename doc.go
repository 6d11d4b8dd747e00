// Package forge makes servers, installs a web stack on them, manages who may
// log in, creates sites and deploys them from git, inside a program of your
// own.
//
// A [Forge] is made with [New] of a [Store], a [queue.Queue] and some
// [provider.Provider]. Its services write down what is asked for and return at
// once with an [Action]; workers, started with [Forge.Run] in this process or
// in another one, do it. [Actions.Follow] streams the lines of an action as
// they are printed, [Actions.Wait] waits for its end, and [Forge.Events]
// streams every change of state.
package forge
