/** Every bound of the wire in one place. Bytes unless the name says otherwise. */

/** The largest frame that Java accepts, counted after the length field. */
export const FRAME_BYTES_MAX = 16_777_216
/** JSON may write one property byte as six; the rest of a header is small. */
export const HEADER_BYTES_MAX = 1_048_576
export const HEADER_FIELDS_MAX = 256

export const BODY_BYTES_MAX = 4_194_304
/** The length is an int16 in a stored message. */
export const PROPERTIES_BYTES_MAX = 32_767
export const TOPIC_CHARS_MAX = 127
/** Retry and dead-letter topics hold a group's name after their prefix. */
export const DERIVED_TOPIC_CHARS_MAX = 255
export const GROUP_CHARS_MAX = 120

/** One text in a binary body. */
export const TEXT_BYTES_MAX = 65_536
/** The items of one list in a binary body. */
export const LIST_ITEMS_MAX = 65_536
/** Stored messages of one pull. */
export const PULL_MESSAGES_MAX = 4_096

/** Messages of one batch. */
export const BATCH_MESSAGES_MAX = 4_096

/** Requests that one end may have unanswered on one connection. */
export const UNANSWERED_MAX = 65_536
