import RigLCore

/// An event file of TensorBoard that is being written: the records that are not on a disk yet.
///
///     file     = { record }
///     record   = length    UInt64, little-endian
///                checksum  UInt32, masked CRC-32C of the eight bytes of the length
///                data      one Event
///                checksum  UInt32, masked CRC-32C of the data
///
///     Event    { 1: wall_time, 2: step, 3: file_version or 5: Summary }
///     Summary  { 1: Value }
///     Value    { 1: tag, 2: simple_value or 5: HistogramProto or 8: TensorProto, 9: metadata }
///
/// A record is whole or is not there, so ``takeBytes()`` may be appended to a file at any time;
/// readers follow a file as it grows.
package struct EventFile: Sendable {
  /// The records that have not been taken.
  package private(set) var bytes: [UInt8] = []

  private let wallTime: Double

  /// A file with the one record that tells readers the version of its format.
  ///
  /// - Parameter wallTime: seconds since 1970 at which the file was begun.
  package init(wallTime: Double) {
    self.wallTime = wallTime
    var event = ProtobufMessage()
    event.append(wallTime, field: 1)  // wall_time
    event.append("brain.Event:2", field: 3)  // file_version
    append(record: event.bytes)
  }

  /// Takes the records out, to be appended to what has been taken before.
  package mutating func takeBytes() -> [UInt8] {
    let taken = bytes
    bytes = []
    return taken
  }

  /// Appends a number, rounded to float32; NaN and infinities are written as they are.
  ///
  /// - Parameters:
  ///   - tag: the name of the series; up to the first slash, that of the group it is shown in.
  ///   - wallTime: seconds since 1970.
  package mutating func scalar(_ tag: String, _ value: Double, step: Int, wallTime: Double) {
    var message = Self.value(tag)
    message.append(Float(value), field: 2)  // simple_value
    append(value: message, step: step, wallTime: wallTime)
  }

  /// Appends a histogram, which says nothing of NaN and infinities.
  package mutating func histogram(
    _ tag: String, _ histogram: Histogram, step: Int, wallTime: Double
  ) {
    var message = Self.value(tag)
    message.append(histogram.message, field: 5)  // histo
    append(value: message, step: step, wallTime: wallTime)
  }

  /// Appends the histogram of `values`.
  ///
  /// - Returns: the number of NaN and infinities, which are left out.
  @discardableResult
  package mutating func histogram(
    _ tag: String, of values: some Sequence<Double>, step: Int, wallTime: Double
  ) -> Int {
    let histogram = Histogram(of: values)
    self.histogram(tag, histogram, step: step, wallTime: wallTime)
    return histogram.nonfiniteCount
  }

  /// Appends a text.
  ///
  /// - Parameters:
  ///   - markdown: shown as GitHub's Markdown, tables too.
  ///   - wallTime: seconds since 1970; nil: when the file was begun.
  package mutating func text(
    _ tag: String, _ markdown: String, step: Int, wallTime: Double? = nil
  ) {
    var tensor = ProtobufMessage()
    tensor.append(7, field: 1)  // dtype: DT_STRING
    tensor.append(ProtobufMessage(), field: 2)  // tensor_shape: no dimensions
    tensor.append(markdown, field: 8)  // string_val

    var message = Self.value(tag)
    message.append(tensor, field: 8)  // tensor
    message.append(Self.metadata(plugin: "text"), field: 9)
    append(value: message, step: step, wallTime: wallTime ?? self.wallTime)
  }
}

// MARK: - Parts

extension EventFile {
  /// A `Summary.Value` that has its tag only.
  static func value(_ tag: String) -> ProtobufMessage {
    var message = ProtobufMessage()
    message.append(tag, field: 1)  // tag
    return message
  }

  /// A `SummaryMetadata` that names the plugin which shows a value, and what that is told.
  static func metadata(plugin: String, content: ProtobufMessage? = nil) -> ProtobufMessage {
    var data = ProtobufMessage()
    data.append(plugin, field: 1)  // plugin_name
    if let content { data.append(content, field: 2) }  // content

    var metadata = ProtobufMessage()
    metadata.append(data, field: 1)  // plugin_data
    return metadata
  }

  /// Appends the event of one value.
  mutating func append(value: ProtobufMessage, step: Int, wallTime: Double) {
    var summary = ProtobufMessage()
    summary.append(value, field: 1)  // value

    var event = ProtobufMessage()
    event.append(wallTime, field: 1)  // wall_time
    event.append(step, field: 2)  // step
    event.append(summary, field: 5)  // summary
    append(record: event.bytes)
  }

  private mutating func append(record data: [UInt8]) {
    var length: [UInt8] = []
    length.append(littleEndian: UInt64(data.count))
    bytes += length
    bytes.append(littleEndian: CRC32C.maskedChecksum(of: length))
    bytes += data
    bytes.append(littleEndian: CRC32C.maskedChecksum(of: data))
  }
}

// MARK: - Name

extension EventFile {
  /// The name of an event file: `events.out.tfevents.<seconds>.<host>.<suffix>`.
  ///
  /// Readers take a file for one of events where its name has `tfevents` in it and does not end
  /// with `.profile-empty`. They read the files of a folder in the order of their names and do not
  /// go back, so the seconds have ten digits; host and suffix only keep names apart.
  ///
  /// - Parameters:
  ///   - wallTime: seconds since 1970 at which the file was begun; before the year 2286.
  ///   - host: the machine's name.
  ///   - suffix: what tells files apart that one machine begins in one second: a process, a part.
  package static func name(wallTime: Double, host: String, suffix: String) -> String {
    trap(
      unless: wallTime >= 0 && wallTime < 1e10,
      "name: a wall time of \(wallTime) s does not fit ten digits")
    let digits = String(Int(wallTime))
    let seconds = String(repeating: "0", count: 10 - digits.count) + digits
    let name = "events.out.tfevents.\(seconds).\(host).\(suffix)"
    return String(name.map { $0 == "/" || $0 == "\0" ? "_" : $0 })
  }
}
