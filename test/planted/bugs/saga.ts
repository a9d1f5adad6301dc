/** Bugs of sagas, each with the test whose promise it breaks. */
import type { NamedBug } from '../planted-bug.js'

const DECIDE = 'packages/saga/test/decide.property.test.ts'
const FEATURES = 'packages/saga/test/features.unit.test.ts'
const OPERATORS = 'packages/saga/test/operators.unit.test.ts'
const TRANSITION = 'packages/saga/test/transition.unit.test.ts'
const HANDLE = 'packages/saga/test/handle.simulation.test.ts'
const GATE = 'packages/saga/test/gate.property.test.ts'
const GATE_TAKEOVER = 'packages/saga/test/gate-takeover.simulation.test.ts'
const TAKEOVER = 'packages/saga/test/takeover.simulation.test.ts'
const SCHEDULE = 'packages/saga/test/schedule.simulation.test.ts'
const WORLDS = 'packages/sagalog/test/simulate.property.test.ts'
const POINTS = 'packages/sagalog/test/crash-points.exhaustive.test.ts'

const source = (file: string): string => `packages/saga/src/${file}.ts`
const LOCAL = "end completed or compensated, each effect as it must be: 'local'"
const REMOTE = "end completed or compensated, each effect as it must be: 'remote'"
const ENDS = 'ends completed or compensated, never both, and undoes in reverse'
const CHAIN = 'a chain of local steps of 2: whatever goes wrong at one of them, it ends as it must'

export const sagaBugs: readonly NamedBug[] = [
  {
    name: 'undo-registered-after-run',
    promise: 'that follows a remote one runs only after its own registration is durable',
    file: source('advance'),
    find: "return action === 'undo' || step.action.undo === undefined || first.kind === 'continue'",
    replace: "return action === 'undo' || step.name !== '' || first.kind === 'continue'",
    test: TRANSITION,
  },
  {
    name: 'no-fence',
    promise: 'answers once, and refuses what comes after its undo',
    file: source('served-commands'),
    find: '      if (known.isUndone) return\n',
    replace: '',
    test: HANDLE,
  },
  {
    name: 'no-inbox',
    promise: 'answers once, and refuses what comes after its undo',
    file: source('served-commands'),
    find: '      if (O.isSome(known.done)) return reply(tx, message, { done: known.done.value })\n',
    replace: '',
    test: HANDLE,
  },
  {
    name: 'no-key',
    promise: LOCAL,
    file: source('outgoing'),
    find: 'return { key: stepKey(sagaId, name), sagaId, step: name }',
    replace: 'return { key: stepKey(sagaId, `${name}/${Math.random()}`), sagaId, step: name }',
    test: WORLDS,
  },
  {
    name: 'state-without-its-messages',
    promise: 'registers the step and sends its command, for the saga that it belongs to',
    file: source('transition'),
    find: '    for (const put of this.#outgoing) put(tx)\n',
    replace: '    tx.onCommitted(() => this.#outgoing.length)\n',
    test: TRANSITION,
  },
  {
    name: 'retry-of-a-refusal',
    promise: 'that is refused puts nothing into the commit; those before it are undone',
    file: source('local-action'),
    find: '  if (E.isLeft(result)) {\n',
    replace:
      '  if (E.isLeft(result)) {\n    if (step.name !== "") throw new Error(String(result.left))\n',
    test: TRANSITION,
  },
  {
    name: 'refused-attempt-commits',
    promise: 'that is refused puts nothing into the commit; those before it are undone',
    file: source('local-action'),
    find: "return { input: { kind: 'refused', sagaId, step: name, refusal }, outgoing: [] }",
    replace:
      "return { input: { kind: 'refused', sagaId, step: name, refusal }, outgoing: held.puts }",
    test: TRANSITION,
  },
  {
    name: 'lost-timer',
    promise: 'waits for a reply no longer than the step says',
    file: source('forward'),
    find: "  if (hasTimer(step)) ask(turn, { kind: 'timer', step, name, attempt })\n",
    replace: '',
    test: 'packages/saga/test/decide.unit.test.ts',
  },
  {
    name: 'migration-skipped',
    promise: 'a running saga is carried over when it hears something',
    file: source('decide'),
    find: 'else if (isOfOther(turn) && !migrate(turn)) park(',
    replace: 'else if (isOfOther(turn) && migrate === undefined) park(',
    test: OPERATORS,
  },
  {
    name: 'undone-in-the-order-of-the-steps',
    promise: ENDS,
    file: source('backward'),
    find: 'for (let at = names.length - 1; at >= 0; at -= 1) {',
    replace: 'for (let at = 0; at < names.length; at += 1) {',
    test: DECIDE,
  },
  {
    name: 'doubt-taken-for-nothing',
    promise: CHAIN,
    file: source('backward'),
    find: "if (status !== 'done' && status !== 'doubt') continue",
    replace: "if (status !== 'done') continue",
    test: POINTS,
  },
  {
    name: 'what-runs-beside-is-forgotten',
    promise: 'that services do: one that has not answered is undone as in doubt',
    file: source('evolve'),
    find: "    if (step.status === 'started') steps = steps.with(name, { status: 'doubt' })\n",
    replace: '',
    test: FEATURES,
  },
  {
    name: 'compensated-after-the-pivot',
    promise: 'a deadline compensates, unless the pivot has begun',
    file: source('backward'),
    find: "  if (turn.draft.state.phase !== 'running' || isPastTurning(turn)) return\n  const reason",
    replace: "  if (turn.draft.state.phase !== 'running') return\n  const reason",
    test: FEATURES,
  },
  {
    name: 'every-signal-counts',
    promise: 'a signal that comes before its saga is kept',
    file: source('forward'),
    find: "  if (step.action.kind === 'signal' && early !== undefined && waiting !== undefined)\n",
    replace: '  if (early === undefined && waiting === undefined)\n',
    test: FEATURES,
  },
  {
    name: 'one-too-many-inside',
    promise: 'keeps its bounds, and whoever waits does so for a reason',
    file: source('gate'),
    find: 'slots === undefined || holders.size < slots',
    replace: 'slots === undefined || holders.size <= slots',
    test: GATE,
  },
  {
    name: 'limit-kept-after-the-end',
    promise: 'keeps a limit over two instances, and tells each step to whoever traces',
    file: source('forward'),
    find: "  if (step.limit !== undefined) ask(turn, { kind: 'release', step, name })\n}",
    replace: '}',
    test: HANDLE,
  },
  {
    name: 'attempts-not-counted',
    promise: 'is tried again after a throw, later each time, and in doubt with no attempt left',
    file: source('forward'),
    find: '  const tries = attempt - since + 1\n  if (step.phase',
    replace: '  const tries = attempt - since\n  if (step.phase',
    test: TRANSITION,
  },
  {
    name: 'reply-lost-at-the-undo',
    promise: REMOTE,
    file: source('served-commands'),
    find: '        return reply(tx, message, { undone: true })\n',
    replace: '        return\n',
    test: WORLDS,
  },
  {
    name: 'business-key-kept-after-the-end',
    promise: 'is told by its business key what it waits for, however many go by it',
    file: source('business-keys'),
    find: '  if (hasEnded(after) && !hasEnded(before)) events',
    replace: '  if (hasEnded(before)) events',
    test: HANDLE,
  },
  {
    name: 'own-probe-not-known-again',
    promise: 'that sagas take in a ring let one of them go back, which says so',
    file: source('deadlock'),
    find: '    } else if (asked.step === name',
    replace: '    } else if (asked.step !== name',
    test: HANDLE,
  },
  {
    name: 'changed-definition-let-in',
    promise: 'is refused at start-up when its definition changed, with what changed',
    file: source('registry'),
    find: 'unused } = mayDiffer\n',
    replace: 'unused } = !mayDiffer\n',
    test: HANDLE,
  },
  {
    name: 'takeover-without-epoch',
    promise:
      "wakes in the middle of the step that another one took over: that one's commit is the one",
    file: 'packages/broker/src/members.ts',
    find: 'if (lease?.epoch === queue.epoch) return',
    replace: 'if (lease !== undefined) return',
    test: TAKEOVER,
  },
  {
    name: 'takeover-from-memory',
    promise: 'goes on from what the other one did when the saga comes back to it',
    file: source('stream-states'),
    find: 'if (known !== undefined && known.tenure === tenure) return known',
    replace: 'if (known !== undefined) return known',
    test: TAKEOVER,
  },
  {
    name: 'gate-from-memory',
    promise: 'a keeper that gets a gate back reads what another one decided in between',
    file: source('gate-keeper'),
    find: 'known?.tenure === tenure ? known',
    replace: 'known !== undefined ? known',
    test: GATE_TAKEOVER,
  },
  {
    name: 'call-of-a-time-that-is-not-planned',
    promise: 'follows its expression when that changed',
    file: source('schedule'),
    find: '(isLook ? !state.isUnheard : !isPlanned)',
    replace: '(isLook && !state.isUnheard)',
    test: SCHEDULE,
  },
  {
    name: 'each-missed-time-is-started',
    promise: 'meets the times that passed while nothing ran: once',
    file: source('schedule'),
    find: 'const atMs = Math.max(nowMs, dueAtMs)',
    replace: 'const atMs = dueAtMs',
    test: SCHEDULE,
  },
]
