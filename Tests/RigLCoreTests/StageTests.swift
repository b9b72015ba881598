import Foundation
import RigLCore
import Testing

/// Which stages run, and what each of them applies: fusing is worth a third of a step, and nothing
/// else would notice if it were lost.
struct StageTests {
  /// A network whose stages are compared with the golden file.
  private struct Case {
    let title: String
    let layers: Sequential
    let input: SampleShape
    var capacity = 1
    var connections: [String: Int] = [:]
    var isTraining = true
  }

  /// The presets' networks, for training and for single images; networks without a preset; and the
  /// layers of the gradient tests. Images are small, on which fusing does not depend.
  private func cases() throws -> [Case] {
    var cases: [Case] = []
    var configurations = Preset.all.map { ($0.name, $0.configuration) }
    for name in ["lenet-5", "vgg-16", "resnet-18"] {
      var configuration = Configuration()
      configuration.network = name
      configurations.append((name, configuration))
    }
    var dropping = Configuration()
    (dropping.network, dropping.dropout) = ("wrn-10-1", 0.3)
    configurations.append(("wrn-10-1 with dropout", dropping))
    for (title, configuration) in configurations {
      let published = try NetworkName(configuration.network).published
      let side = published.input.width > 64 ? 64 : published.input.width
      let input = SampleShape(channels: published.input.channels, height: side, width: side)
      for isTraining in [true, false] {
        let layers = try configuration.makeNetwork().layers(input: input, classes: 10)
        let allocation = try configuration.allocate(layers.weightLayers)
        cases.append(
          Case(
            title: title + (isTraining ? "" : ", prediction"), layers: layers, input: input,
            connections: Dictionary(
              uniqueKeysWithValues: allocation.layers.map { ($0.name, $0.connections) }),
            isTraining: isTraining))
      }
    }
    for one in LayerGradientTests.cases + PlaneCases.all + BlockCases.all {
      cases.append(
        Case(
          title: one.testDescription, layers: Sequential(one.layers()), input: one.input,
          capacity: one.samples, connections: one.connections))
    }
    return cases
  }

  /// Gradients of activations take turns: of a chain of layers never more than twice the largest.
  @Test func gradientsTakeTurnsInMemory() throws {
    let input = SampleShape(channels: 3, height: 64, width: 64)
    for network in [MobileNetV1(), VGG16()] as [any Network] {
      let model = try Model(
        network.layers(input: input, classes: 10), input: input, capacity: 1)
      let stages = model.stageDescriptions
      let outputs = stages.reduce(0) { $0 + $1.outputBytes }
      let largest = try #require(stages.map(\.gradientBytes).max())
      #expect(model.tensorBytes <= outputs + 2 * largest, "\(network)")
    }
  }

  /// `RIGL_STAGES=FILE` writes the text there, for a change that is meant.
  @Test func stagesAreThoseOfTheGoldenFile() throws {
    var text = ""
    for one in try cases() {
      let model = try Model(
        one.layers, input: one.input, capacity: one.capacity, connections: one.connections,
        isTraining: one.isTraining, usesStrips: !one.isTraining)
      text += "# \(one.title)\n" + model.stageLines.map { $0 + "\n" }.joined() + "\n"
    }
    if let path = ProcessInfo.processInfo.environment["RIGL_STAGES"] {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    }
    let golden = try String(
      contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("stages.txt"), encoding: .utf8)
    let (own, expected) = (
      text.split(separator: "\n", omittingEmptySubsequences: false),
      golden.split(separator: "\n", omittingEmptySubsequences: false)
    )
    var title: Substring = ""
    for (line, other) in zip(own, expected) {
      if line.hasPrefix("#") { title = line }
      #expect(line == other, "\(title)")
    }
    #expect(own.count == expected.count)
  }
}
