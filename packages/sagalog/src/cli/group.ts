/** `sagalog group`: the consumer groups of a broker, their lag, and where they go on. */
import type { ConsumeFrom } from '@sagalog/protocol'
import { InvalidArgumentError } from 'commander'
import { escaped } from './body-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { parkedCommands } from './parked.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeOf } from './time-text.js'
import { agoText, plural } from './words.js'

type Target = ConsumeFrom | { readonly offset: number }

interface ResetFlags extends Operated {
  readonly topic: string
  readonly to: Target
  readonly queue?: number
}

const COLUMNS: readonly Column[] = [
  { title: 'group' },
  { title: 'kind' },
  { title: 'consumers', align: 'right' },
  { title: 'lag', align: 'right' },
  { title: 'dead letters', align: 'right' },
]
const QUEUE_COLUMNS: readonly Column[] = [
  { title: 'topic' },
  { title: 'queue', align: 'right' },
  { title: 'place', align: 'right' },
  { title: 'end', align: 'right' },
  { title: 'lag', align: 'right' },
  { title: 'oldest' },
  { title: 'consumer' },
]

/** `first`, `last`, an offset, or a time as in `2026-01-31T12:00:00Z`. */
function readTarget(text: string): Target {
  if (text === 'first' || text === 'last') return text
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  const storedAtMs = timeOf(text)
  if (storedAtMs !== undefined) return { storedAtMs }
  throw new InvalidArgumentError(
    'It is first, last, an offset, or a time as in 2026-01-31T12:00:00Z.',
  )
}

async function list(context: CommandContext, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const groups = await withAdmin(context, flags, (admin) => admin.groups())
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(groups, undefined, 2)}\n`)
    return EXIT.fine
  }
  const rows = groups.map(({ deadLetters, group, kind, lag, members }) => [
    escaped(group),
    kind,
    ...[members, lag, deadLetters].map(String),
  ])
  await terminal.print(tableText(COLUMNS, rows))
  await terminal.print(`${plural(groups.length, 'group')}\n`)
  return EXIT.fine
}

async function show(context: CommandContext, name: string, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const group = await withAdmin(context, flags, (admin) => admin.group(name))
  if (group === undefined) {
    terminal.tell(`sagalog: there is no group ${escaped(name)}`)
    terminal.tell('Look at sagalog group ls; a group is there once a consumer of it was.')
    return EXIT.failed
  }
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(group, undefined, 2)}\n`)
    return EXIT.fine
  }
  const { deadLetters, kind, lag, members, queues } = group
  const letters = plural(deadLetters, 'dead letter')
  await terminal.print(
    `${name} (${kind}): ${plural(members.length, 'consumer')}, lag ${lag}, ${letters}\n`,
  )
  for (const { instance, mode, topics } of members)
    await terminal.print(`${escaped(instance)}, ${mode}: ${topics.map(escaped).join(', ')}\n`)
  const rows = queues.map(({ settledAbove, ...queue }) => [
    escaped(queue.topic),
    String(queue.queueId),
    settledAbove === 0 ? String(queue.watermark) : `${queue.watermark}+${settledAbove}`,
    String(queue.maxOffset),
    String(queue.lag),
    queue.oldestAgeMs === undefined ? '' : agoText(queue.oldestAgeMs),
    escaped(queue.instance ?? ''),
  ])
  await terminal.print(`\n${tableText(QUEUE_COLUMNS, rows)}`)
  return EXIT.fine
}

async function reset(context: CommandContext, group: string, flags: ResetFlags): Promise<ExitCode> {
  const { json, queue: queueId, to, topic } = flags
  const { terminal } = context
  if (typeof to === 'object' && 'offset' in to && queueId === undefined) {
    terminal.tell('sagalog: an offset is one of a queue')
    terminal.tell('usage: sagalog group reset <group> --topic <topic> --queue <n> --to <offset>')
    return EXIT.misused
  }
  const asked = { group, topic, to, ...(queueId === undefined ? {} : { queueId }) }
  const moved = await withAdmin(context, flags, (admin) => admin.reset(asked))
  if (json === true) await terminal.print(`${JSON.stringify(moved, undefined, 2)}\n`)
  else
    for (const queue of moved)
      await terminal.print(`${group} goes on at ${topic}/${queue.queueId}@${queue.offset}\n`)
  return EXIT.fine
}

export const groupCommands: CommandGroup = (program, context) => {
  const group = program.command('group').description('list and show consumer groups, move them')

  operated(withJson(group.command('ls'), 'print an array of groups as JSON'))
    .description('list the groups, with their lag and their dead letters')
    .action(context.act((flags) => list(context, flags)))

  operated(withJson(group.command('show')))
    .description('show a group: its consumers, and where it stands in each queue')
    .argument('<group>', 'the name of the group')
    .action(context.act((name, flags) => show(context, name, flags)))

  operated(withJson(group.command('reset')))
    .description('move a group in a topic, whether its consumers are connected or not')
    .argument('<group>', 'the name of the group')
    .requiredOption('--topic <topic>', 'the name of the topic')
    .requiredOption('--to <where>', 'first, last, a time, or an offset of one queue', readTarget)
    .option('--queue <n>', 'this queue only', wholeNumber(0, 1_023))
    .action(context.act((name, flags) => reset(context, name, flags)))

  parkedCommands(group, context)
}
