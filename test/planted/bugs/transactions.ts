/** Bugs that break what the transactions property promises. */
import { type PlantedBug, TRANSACTIONS } from '../planted-bug.js'

export const transactionBugs: readonly PlantedBug[] = [
  {
    name: 'half-visible-at-once',
    promise: 'half-invisible',
    file: 'packages/broker/src/requests/send-message.ts',
    find: 'if (isHalf) drafts.push(halfDraft(core, content))',
    replace:
      'if (isHalf) drafts.push(messageDraft(core, content, offset), halfDraft(core, content))',
    test: TRANSACTIONS,
  },
  {
    name: 'rollback-delivered',
    promise: 'half-invisible',
    file: 'packages/broker/src/requests/end-transaction.ts',
    find: "if (decision === 'rollback') return { drafts: [fact], applied }",
    replace: `const found = record ?? core.log.peek(half.half)
  if (decision === 'rollback' && found === undefined) return { drafts: [fact], applied }
  if (decision === 'rollback') {
    return { drafts: [committedDraft(core, found, new Placement(core.state.queues)), fact], applied }
  }`,
    test: TRANSACTIONS,
  },
  {
    name: 'decision-in-a-frame-of-its-own',
    promise: 'half-invisible',
    file: 'packages/broker/src/requests/end-transaction.ts',
    find: 'return { drafts: [message, fact], applied }',
    replace: `const second = { drafts: [fact], applied }
  const submit = () => core.sequencer.submit({ decide: () => second, refuse: () => undefined })
  return { drafts: [message], applied: () => core.clock.after(5, submit) }`,
    test: TRANSACTIONS,
  },
  {
    name: 'confirmation-flips-a-decision',
    promise: 'decision-stands',
    file: 'packages/broker/src/requests/end-transaction.ts',
    find: 'return { drafts: [], applied: (end) => call.answer({ outcome }, end, { code }) }',
    replace: `const { commitLogOffset, decision } = request
  if (isSame) return { drafts: [], applied: (end) => call.answer({ outcome }, end, { code }) }
  const flipped = decisionDraft({ half: commitLogOffset, outcome: decision })
  return { drafts: [flipped], applied: (end) => call.answer({ outcome: decision }, end) }`,
    test: TRANSACTIONS,
  },
  {
    name: 'decision-forgotten-too-soon',
    promise: 'decision-stands',
    file: 'packages/broker/src/folds/halves.ts',
    find: 'if (this.decidedOrder.length <= DECISIONS_KEPT) return',
    replace: 'if (this.decidedOrder.length <= DECISIONS_KEPT / 2_048) return',
    test: TRANSACTIONS,
  },
  {
    name: 'check-back-ignores-a-commit',
    promise: 'one-outcome',
    file: 'packages/broker/src/check-back.ts',
    // Most halves are in memory still: the check waits here as if it had to read the disk.
    find: 'core.sequencer.submit({\n      decide: () => {\n        const now = core.state.halves.get(half.half)',
    replace:
      'const submit: typeof core.sequencer.submit = (work) => void sleep(core.clock, 100).then(() => core.sequencer.submit(work))\n    submit({\n      decide: () => {\n        const now = core.state.halves.get(half.half) ?? half',
    test: TRANSACTIONS,
  },
  {
    name: 'parked-before-its-last-check',
    promise: 'one-outcome',
    file: 'packages/broker/src/check-back.ts',
    find: 'const isLast = half.checks >= core.settings.checksMax',
    replace: 'const isLast = half.checks + 1 >= core.settings.checksMax',
    test: TRANSACTIONS,
  },
  {
    name: 'checks-counted-anew-at-a-restart',
    promise: 'one-outcome',
    file: 'packages/broker/src/folds/halves.ts',
    find: 'this.table<Position, HalfFact>(halfOpenDraft)',
    replace: 'this.table<Position, HalfFact>((half) => halfOpenDraft({ ...half, checks: 0 }))',
    test: TRANSACTIONS,
  },
]
