import Yams

/// The names of a run's loss, topology method and optimizer, as far as they were given in Swift and
/// are not what the configuration says: its files have them, and only Swift can give them again.
package struct CustomRules: Hashable, Codable, Sendable {
  /// The loss's.
  package var loss: String?
  /// The topology method's.
  package var method: String?
  /// The optimizer's.
  package var optimizer: String?

  /// The key of `config.yaml`.
  static let key = "custom_parts"

  /// A part that may be given in Swift.
  struct Rule {
    /// The argument of ``Trainer`` that gives it.
    let argument: String
    /// The kind of part: loss, topology method or optimizer.
    let noun: String
    /// Its name; nil: it is the configuration's.
    let name: String?

    /// What it is, and its name: `loss (Squares)`.
    var text: String { noun + (name.map { " (\($0))" } ?? "") }
  }

  /// All three, in order.
  var all: [Rule] {
    [
      Rule(argument: "loss", noun: "loss", name: loss),
      Rule(argument: "method", noun: "topology method", name: method),
      Rule(argument: "optimizer", noun: "optimizer", name: optimizer),
    ]
  }

  /// The parts that were given in Swift.
  var given: [Rule] { all.filter { $0.name != nil } }

  /// The parts that were given here, and not in `others`.
  func missing(in others: CustomRules) -> [Rule] {
    zip(all, others.all).filter { $0.0.name != nil && $0.1.name == nil }.map(\.0)
  }

  /// These, and those of another training that are not among them.
  func filled(from other: CustomRules) -> CustomRules {
    CustomRules(
      loss: loss ?? other.loss, method: method ?? other.method,
      optimizer: optimizer ?? other.optimizer)
  }

  /// The name of a rule: its type, with the numbers and words that a structure is made of.
  ///
  /// Only for people: a type may be renamed.
  static func name(of rule: Any) -> String {
    let type = String(describing: Swift.type(of: rule))
    let mirror = Mirror(reflecting: rule)
    guard mirror.displayStyle == .struct else { return type }
    let numbers = mirror.children.compactMap { child -> String? in
      guard let label = child.label else { return nil }
      switch child.value {
      case let value as any BinaryInteger: return "\(label): \(value)"
      case let value as any BinaryFloatingPoint: return "\(label): \(value)"
      case let value as Bool: return "\(label): \(value)"
      default: return nil
      }
    }
    return numbers.isEmpty ? type : "\(type)(\(numbers.joined(separator: ", ")))"
  }
}

/// Names in a sentence: `a`, `a and b`, `a, b and c`.
func enumeration(_ texts: [String]) -> String {
  guard texts.count > 1, let last = texts.last else { return texts.first ?? "" }
  return texts.dropLast().joined(separator: ", ") + " and " + last
}

// MARK: - In a training

extension Configuration {
  /// Takes the loss, topology method and optimizer that were given to a training: they are the
  /// configuration's own if they are of the same type and numbers, and else custom.
  ///
  /// - Parameter path: the run whose settings these are; nil: of none.
  /// - Throws: a configuration error where the configuration is of a run with rules that were given
  ///   in Swift, and they are not given now.
  mutating func take(
    loss: (any Loss)?, method: (any TopologyMethod)?, optimizer: (any Optimizer)?, path: String?
  ) throws(RigLError) {
    let given = CustomRules(
      loss: loss.map(CustomRules.name), method: method.map(CustomRules.name),
      optimizer: optimizer.map(CustomRules.name))
    let missing = customRules.missing(in: given)
    guard missing.isEmpty else {
      if let path { throw .needsRules(missing, path) }
      let isOne = missing.count == 1
      throw RigLError(
        .configuration,
        "\(CustomRules.key): the \(enumeration(missing.map(\.text))) \(isOne ? "was" : "were") "
          + "given in Swift, and only Swift can give \(isOne ? "it" : "them") again",
        hint: "Give \(isOne ? "it" : "them") to Trainer there, as "
          + "\(enumeration(missing.map { "\($0.argument):" })); a file without \(CustomRules.key) has "
          + "the configuration's.")
    }
    customRules = CustomRules(
      loss: (loss as? CrossEntropy)?.labelSmoothing == labelSmoothing ? nil : given.loss,
      method: method.map { type(of: $0) == methodType } == true ? nil : given.method,
      optimizer: optimizer.map(isOwn) == true ? nil : given.optimizer)
  }

  /// Whether an optimizer is the one that the settings say.
  private func isOwn(_ optimizer: any Optimizer) -> Bool {
    switch (optimizer, makeOptimizer()) {
    case (let given as SGD, let own as SGD): given == own
    case (let given as Adam, let own as Adam): given == own
    default: false
    }
  }
}

// MARK: - In a run

extension RunFolder {
  /// Throws where the run has a loss, topology method or optimizer that was given in Swift, and a
  /// training that is to go on with it has not.
  ///
  /// - Returns: a line on each that has another name, or of which the run's files say nothing, as
  ///   those of earlier versions.
  func compareRules(with trainer: Trainer) throws(RigLError) -> [String] {
    let saved = try settings().configuration().customRules
    let own = trainer.configuration.customRules
    let missing = saved.missing(in: own)
    guard missing.isEmpty else { throw .needsRules(missing, path) }
    return zip(saved.all, own.all).compactMap { saved, own in
      guard let name = own.name, saved.name != name else { return nil }
      guard let before = saved.name else {
        return "\(path): its files do not say that its \(own.noun) was given in Swift, as those of "
          + "earlier versions do not; it goes on with the \(own.noun) \(name)"
      }
      return "\(path): was begun with the \(own.noun) \(before), and goes on with \(name)"
    }
  }
}

extension RigLError {
  /// The error for a run with rules that were given in Swift, where they are not given.
  static func needsRules(_ missing: [CustomRules.Rule], _ path: String) -> RigLError {
    let isOne = missing.count == 1
    return RigLError(
      .configuration,
      "\(path): \(enumeration(missing.map { "its \($0.text)" })) \(isOne ? "was" : "were") given in "
        + "Swift, and the configuration's cannot go on in \(isOne ? "its" : "their") place",
      hint: "Give \(isOne ? "it" : "them") to Trainer again, as "
        + "\(enumeration(missing.map { "\($0.argument):" })).")
  }
}

// MARK: - In files

extension CustomRules {
  /// Reads the value of ``key`` in a file of settings.
  init(_ node: Node, place: String) throws(RigLError) {
    do {
      self = try CustomRules(from: SettingsDecoder(node))
    } catch {
      throw RigLError(
        .configuration, "\(place)\(CustomRules.key): not the names of loss, method and optimizer",
        hint: "It is written with a run, and not to be changed.")
    }
  }

  /// The value of ``key`` for a file of settings, on one line; nil: there are none.
  var node: Node? {
    func text(_ name: String) -> Node { Configuration.plain(Node(name, .implicit, .doubleQuoted)) }
    let pairs = given.compactMap { rule in rule.name.map { (Node(rule.argument), text($0)) } }
    return pairs.isEmpty ? nil : Node.mapping(Node.Mapping(pairs, .implicit, .flow))
  }
}
