// What the plugin of hyperparameters shows: a table of runs, their settings beside their scalars.
//
//     HParamsPluginData { 3: SessionStartInfo or 4: SessionEndInfo }
//     SessionStartInfo  { 1: { name: value }, 5: start_time_secs }
//     SessionEndInfo    { 1: status, 2: end_time_secs }
//
// A run is a session; TensorBoard finds which settings and scalars there are by itself.

extension EventFile {
  /// The value of a setting.
  package enum Setting: Hashable, Sendable {
    case number(Double)
    case text(String)
    case flag(Bool)

    /// A `google.protobuf.Value`. It has no numbers but finite ones: others are their text.
    fileprivate var message: ProtobufMessage {
      var message = ProtobufMessage()
      switch self {
      case .number(let number) where number.isFinite:
        message.append(number, field: 2)  // number_value
      case .number(let number):
        message.append("\(number)", field: 3)  // string_value
      case .text(let text):
        message.append(text, field: 3)  // string_value
      case .flag(let flag):
        message.append(flag, field: 4)  // bool_value
      }
      return message
    }
  }

  /// How a run came to its end.
  package enum Outcome: Int, Sendable {
    case success = 1
    case failure = 2
  }

  /// Appends the settings of the run, by name: once, before its scalars.
  ///
  /// - Parameter wallTime: seconds since 1970 at which the run began.
  package mutating func hyperparameters(_ settings: [String: Setting], wallTime: Double) {
    var start = ProtobufMessage()
    for (name, setting) in settings.sorted(by: { $0.key < $1.key }) {
      var entry = ProtobufMessage()
      entry.append(name, field: 1)  // key
      entry.append(setting.message, field: 2)  // value
      start.append(entry, field: 1)  // hparams
    }
    start.append(wallTime, field: 5)  // start_time_secs

    var data = ProtobufMessage()
    data.append(start, field: 3)  // session_start_info
    append(hyperparameterData: data, tag: "_hparams_/session_start_info", wallTime: wallTime)
  }

  /// Appends how the run that ``hyperparameters(_:wallTime:)`` began has ended.
  ///
  /// - Parameter wallTime: seconds since 1970 at which the run ended.
  package mutating func end(_ outcome: Outcome, wallTime: Double) {
    var end = ProtobufMessage()
    end.append(outcome.rawValue, field: 1)  // status
    end.append(wallTime, field: 2)  // end_time_secs

    var data = ProtobufMessage()
    data.append(end, field: 4)  // session_end_info
    append(hyperparameterData: data, tag: "_hparams_/session_end_info", wallTime: wallTime)
  }

  /// Appends an event that says everything in its metadata, since the plugin reads only that. Other
  /// parts of TensorBoard pass over values that are none, so there is a tensor without elements.
  private mutating func append(
    hyperparameterData data: ProtobufMessage, tag: String, wallTime: Double
  ) {
    var dimension = ProtobufMessage()
    dimension.append(0, field: 1)  // size
    var shape = ProtobufMessage()
    shape.append(dimension, field: 2)  // dim
    var tensor = ProtobufMessage()
    tensor.append(1, field: 1)  // dtype: DT_FLOAT
    tensor.append(shape, field: 2)  // tensor_shape

    var message = Self.value(tag)
    message.append(tensor, field: 8)  // tensor
    message.append(Self.metadata(plugin: "hparams", content: data), field: 9)  // metadata
    append(value: message, step: 0, wallTime: wallTime)
  }
}
