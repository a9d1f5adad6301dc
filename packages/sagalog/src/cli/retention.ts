/** `sagalog retention`: what a broker lets go, what went, and which groups hold it up. */
import type { DescribeRetentionResponse } from '@sagalog/protocol'
import { escaped } from './body-text.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

const HELD_COLUMNS: readonly Column[] = [
  { title: 'held up by' },
  { title: 'topic' },
  { title: 'queue', align: 'right' },
  { title: 'stands at', align: 'right' },
]
const PASSED_COLUMNS: readonly Column[] = [
  { title: 'group' },
  { title: 'never had', align: 'right' },
]
const HOUR_MS = 3_600_000

function boundsText({ bounds, expiresUnread, isOn }: DescribeRetentionResponse): string {
  if (!isOn) return 'nothing is let go'
  const { capBytes, maxAgeMs, maxBytes } = bounds
  const texts = [
    ...(maxAgeMs === undefined ? [] : [`after ${maxAgeMs / HOUR_MS} hours`]),
    ...(maxBytes === undefined ? [] : [`above ${maxBytes} bytes`]),
    ...(capBytes === undefined ? [] : [`unread too above ${capBytes} bytes`]),
  ]
  const what = expiresUnread ? 'messages are let go' : 'messages that were read are let go'
  return texts.length === 0 ? 'only deleted things are let go' : `${what} ${texts.join(', ')}`
}

function historyText(state: DescribeRetentionResponse): string {
  const { bytesFreed, lastProblem, lastRunAtMs, messagesLetGo } = state
  if (lastRunAtMs === undefined) return 'it has not run since the broker was opened'
  const segments = `${state.segmentsRetired} segments retired, ${state.segmentsRewritten} rewritten`
  const done = `${plural(messagesLetGo, 'message')} let go, ${segments}, ${bytesFreed} bytes freed`
  const problem = lastProblem === undefined ? '' : `\nthe last run failed: ${escaped(lastProblem)}`
  return `${done}; last run ${timeText(lastRunAtMs)}${problem}`
}

async function show(context: CommandContext, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const state = await withAdmin(context, flags, (admin) => admin.retention())
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(state, undefined, 2)}\n`)
    return EXIT.fine
  }
  const { closedSegments, heldUp, logBytes, passedOver, start } = state
  const size = `the log has ${logBytes} bytes in ${plural(closedSegments + 1, 'segment')}, from ${start} on`
  await terminal.print(`${boundsText(state)}\n${size}\n${historyText(state)}\n`)
  const held = heldUp.map(({ group, offset, queueId, topic }) => [
    escaped(group),
    escaped(topic),
    String(queueId),
    String(offset),
  ])
  if (held.length > 0) await terminal.print(`\n${tableText(HELD_COLUMNS, held)}`)
  const passed = passedOver.map(({ group, messages }) => [escaped(group), String(messages)])
  if (passed.length > 0) await terminal.print(`\n${tableText(PASSED_COLUMNS, passed)}`)
  return EXIT.fine
}

export const retentionCommands: CommandGroup = (program, context) => {
  const retention = program.command('retention').description('look at what a broker lets go')

  operated(withJson(retention.command('show')))
    .description('show its bounds, what went, and the groups that hold messages up')
    .action(context.act((flags) => show(context, flags)))
}
