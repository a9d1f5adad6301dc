/** `sagalog topic`: the topics of a broker, one of them with its queues, made and deleted. */
import type { TopicReader } from '@sagalog/protocol'
import { Option } from 'commander'
import { escaped } from './body-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

interface CreateFlags extends Operated {
  readonly queues?: number
  readonly kind: 'message' | 'event'
}

interface DeleteFlags extends Operated {
  readonly force?: true
}

const COLUMNS: readonly Column[] = [
  { title: 'topic' },
  { title: 'kind' },
  { title: 'read queues', align: 'right' },
  { title: 'write queues', align: 'right' },
  { title: 'may' },
  { title: 'messages', align: 'right' },
]
const QUEUE_COLUMNS: readonly Column[] = [
  { title: 'queue', align: 'right' },
  { title: 'from', align: 'right' },
  { title: 'to', align: 'right' },
  { title: 'first stored' },
  { title: 'last stored' },
]
const READER_COLUMNS: readonly Column[] = [
  { title: 'group' },
  { title: 'lag', align: 'right' },
  { title: 'consumers' },
]

const permText = (perm: number): string =>
  [perm & 4 ? 'read' : '', perm & 2 ? 'write' : ''].filter((word) => word !== '').join(', ') ||
  'nothing'

const readerRow = ({ group, isLive, lag }: TopicReader): readonly string[] => [
  escaped(group),
  String(lag),
  isLive ? 'connected' : 'none',
]

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

async function list(context: CommandContext, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const topics = await withAdmin(context, flags, (admin) => admin.topics())
  if (flags.json === true) {
    await terminal.print(jsonText(topics))
    return EXIT.fine
  }
  const rows = topics.map(({ kind, messages, perm, readQueues, topic, writeQueues }) => [
    escaped(topic),
    kind,
    String(readQueues),
    String(writeQueues),
    permText(perm),
    String(messages),
  ])
  await terminal.print(tableText(COLUMNS, rows))
  await terminal.print(`${plural(topics.length, 'topic')}\n`)
  return EXIT.fine
}

async function show(context: CommandContext, name: string, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const topic = await withAdmin(context, flags, (admin) => admin.topic(name))
  if (topic === undefined) {
    terminal.tell(`sagalog: there is no topic ${escaped(name)}`)
    terminal.tell('Look at sagalog topic ls, or make it with sagalog topic create.')
    return EXIT.failed
  }
  if (flags.json === true) {
    await terminal.print(jsonText(topic))
    return EXIT.fine
  }
  const { groups, kind, messages, perm, queues } = topic
  const what = `${escaped(topic.topic)} holds ${plural(messages, kind)}; clients may: ${permText(perm)}`
  const rows = queues.map(({ firstStoredAtMs, lastStoredAtMs, maxOffset, minOffset, queueId }) => [
    String(queueId),
    String(minOffset),
    String(maxOffset),
    ...[firstStoredAtMs, lastStoredAtMs].map((ms) => (ms === undefined ? '' : timeText(ms))),
  ])
  await terminal.print(`${what}\n\n${tableText(QUEUE_COLUMNS, rows)}`)
  if (groups.length > 0)
    await terminal.print(`\n${tableText(READER_COLUMNS, groups.map(readerRow))}`)
  return EXIT.fine
}

async function create(
  context: CommandContext,
  name: string,
  flags: CreateFlags,
): Promise<ExitCode> {
  const { kind, queues } = flags
  const asked = { kind, ...(queues === undefined ? {} : { queues }) }
  const isNew = await withAdmin(context, flags, (admin) => admin.createTopic(name, asked))
  const text = isNew ? `made ${name}` : `${name} was there, and keeps its queues`
  const { terminal } = context
  await terminal.print(flags.json === true ? jsonText({ topic: name, isNew }) : `${text}\n`)
  return EXIT.fine
}

async function remove(
  context: CommandContext,
  name: string,
  flags: DeleteFlags,
): Promise<ExitCode> {
  const { terminal } = context
  const isForced = flags.force === true
  const answer = await withAdmin(context, flags, (admin) =>
    admin.deleteTopic(name, { force: isForced }),
  )
  const { halves, isDeleted, neededBy, timers } = answer
  if (flags.json === true) await terminal.print(jsonText({ topic: name, ...answer }))
  else if (isDeleted) await terminal.print(`deleted ${name}\n`)
  if (isDeleted) return EXIT.fine
  const groups = neededBy.map(({ group, isLive, lag }) =>
    isLive ? `${group} (its consumers are connected)` : `${group} (${plural(lag, 'message')} left)`,
  )
  const coming = [
    ...(timers > 0 ? [`${plural(timers, 'message')} on the way to it`] : []),
    ...(halves > 0 ? [`${plural(halves, 'half message')} without a decision`] : []),
  ]
  terminal.tell(`sagalog: ${name} is needed by ${[...groups, ...coming].join(', ')}`)
  const isLive = neededBy.some((reader) => reader.isLive)
  terminal.tell(
    isLive
      ? 'Stop the consumers that read it, then try again.'
      : 'Let the groups finish and what is on its way arrive, or do without with --force.',
  )
  return EXIT.failed
}

export const topicCommands: CommandGroup = (program, context) => {
  const topic = program.command('topic').description('list, show, make and delete topics')

  operated(withJson(topic.command('ls'), 'print an array of topics as JSON'))
    .description('list the topics')
    .action(context.act((flags) => list(context, flags)))

  operated(withJson(topic.command('show')))
    .description('show a topic: its queues, and the groups that read it')
    .argument('<topic>', 'the name of the topic')
    .action(context.act((name, flags) => show(context, name, flags)))

  operated(withJson(topic.command('create')))
    .description('make a topic; one that is there keeps its queues')
    .argument('<topic>', 'the name of the topic')
    .option('--queues <n>', 'so many queues; 8 unless told', wholeNumber(1, 1_024))
    .addOption(
      new Option('--kind <kind>', 'what it holds').choices(['message', 'event']).default('message'),
    )
    .action(context.act((name, flags) => create(context, name, flags)))

  operated(withJson(topic.command('delete')))
    .description('take a topic out of service, unless groups need it; its messages stay in the log')
    .argument('<topic>', 'the name of the topic')
    .option('--force', 'also when groups have not read all of it, or more is on its way')
    .action(context.act((name, flags) => remove(context, name, flags)))
}
