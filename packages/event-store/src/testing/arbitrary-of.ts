/** Arbitraries from io-ts codecs: values that the codec accepts, as JSON can carry them. */
import type * as FastCheck from 'fast-check'
import type * as t from 'io-ts'

type Fc = typeof FastCheck
type Any = FastCheck.Arbitrary<unknown>

export interface ArbitraryOptions {
  /** For codecs that can't be looked into: classes of your own, and adapted schemas. */
  readonly custom?: ReadonlyMap<t.Mixed, Any>
}

/** What io-ts keeps in its codecs, by tag. */
interface Tagged {
  readonly _tag?: string
  readonly name: string
  readonly value?: unknown
  readonly keys?: Readonly<Record<string, unknown>>
  readonly type?: Tagged
  readonly types?: readonly Tagged[]
  readonly props?: Readonly<Record<string, Tagged>>
  readonly domain?: Tagged
  readonly codomain?: Tagged
  readonly predicate?: (value: unknown) => boolean
  readonly runDefinition?: () => Tagged
}

const RECURSION_MAX = 3

interface Context {
  readonly fc: Fc
  readonly custom: ReadonlyMap<unknown, Any>
  readonly depth: number
}

/** JSON has no word for -0. */
const number = (fc: Fc): Any =>
  fc
    .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    .map((value) => (value === 0 ? 0 : value))

function recordOf(
  { fc, ...context }: Context,
  props: Readonly<Record<string, Tagged>> = {},
  isPartial: boolean,
): Any {
  const model = Object.fromEntries(
    Object.entries(props).map(([name, codec]) => [name, of({ fc, ...context }, codec)]),
  )
  const requiredKeys = isPartial ? [] : Object.keys(model)
  return fc.record(model, { requiredKeys, noNullPrototype: true })
}

const simple: Readonly<Record<string, ((fc: Fc) => Any) | undefined>> = {
  StringType: (fc) => fc.string(),
  NumberType: number,
  BooleanType: (fc) => fc.boolean(),
  NullType: (fc) => fc.constant(null),
  UndefinedType: (fc) => fc.constant(undefined),
  VoidType: (fc) => fc.constant(undefined),
  UnknownType: (fc) => fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  AnyArrayType: (fc) => fc.array(fc.string()),
  AnyDictionaryType: (fc) => fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string()),
}

const compound: Readonly<Record<string, ((context: Context, codec: Tagged) => Any) | undefined>> = {
  LiteralType: ({ fc }, { value }) => fc.constant(value),
  KeyofType: ({ fc }, { keys = {} }) => fc.constantFrom(...Object.keys(keys)),
  ArrayType: (context, { type }) => context.fc.array(of(context, type), { maxLength: 5 }),
  ReadonlyArrayType: (context, { type }) => context.fc.array(of(context, type), { maxLength: 5 }),
  TupleType: (context, { types = [] }) =>
    context.fc.tuple(...types.map((codec) => of(context, codec))),
  UnionType: (context, { types = [] }) =>
    context.fc.oneof(...types.map((codec) => of(context, codec))),
  InterfaceType: (context, { props }) => recordOf(context, props, false),
  StrictType: (context, { props }) => recordOf(context, props, false),
  PartialType: (context, { props }) => recordOf(context, props, true),
  ExactType: (context, { type }) => of(context, type),
  ReadonlyType: (context, { type }) => of(context, type),
  RefinementType: (context, { predicate = () => true, type }) =>
    of(context, type).filter((value) => predicate(value)),
  DictionaryType: (context, { codomain, domain }) =>
    context.fc.dictionary(
      of(context, domain)
        .filter((key) => typeof key === 'string' && key !== '__proto__')
        .map(String),
      of(context, codomain),
      { maxKeys: 4, noNullPrototype: true },
    ),
  IntersectionType: (context, { types = [] }) =>
    context.fc
      .tuple(...types.map((codec) => of(context, codec)))
      .map((parts) => Object.assign({}, ...parts) as unknown),
  RecursiveType: (context, { name, runDefinition }) => {
    if (context.depth >= RECURSION_MAX) throw new TooDeep(name)
    return of({ ...context, depth: context.depth + 1 }, runDefinition?.())
  },
}

/** A branch that goes on for ever; a union leaves it out. */
class TooDeep extends Error {}

function of(context: Context, codec: Tagged | undefined): Any {
  if (codec === undefined) throw new Error('a codec has a part that is not there')
  const known = context.custom.get(codec)
  if (known !== undefined) return known
  const tag = codec._tag ?? ''
  if (tag === 'UnionType' && context.depth > 0) return shallowUnion(context, codec)
  const made = simple[tag]?.(context.fc) ?? compound[tag]?.(context, codec)
  if (made !== undefined) return made
  throw new Error(`no values are known for the codec ${codec.name}: name them in \`custom\``)
}

function shallowUnion(context: Context, { name, types = [] }: Tagged): Any {
  const branches = types.flatMap((codec) => {
    try {
      return [of(context, codec)]
    } catch (thrown) {
      if (thrown instanceof TooDeep) return []
      throw thrown
    }
  })
  if (branches.length === 0) throw new TooDeep(name)
  return context.fc.oneof(...branches)
}

/**
 * Values of a codec, for properties. `fc` is fast-check, which this package does not bring along.
 * Throws for a codec that can't be looked into and is not in `custom`.
 */
export function arbitraryOf<A>(
  fc: Fc,
  codec: t.Type<A, unknown>,
  { custom = new Map<t.Mixed, Any>() }: ArbitraryOptions = {},
): FastCheck.Arbitrary<A> {
  const made = of({ fc, custom, depth: 0 }, codec)
  return made as FastCheck.Arbitrary<A>
}
