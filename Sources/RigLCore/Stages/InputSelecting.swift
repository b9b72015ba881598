/// Copies the channels of a network's input that the layers after it read.
final class InputSelecting: PlacedStage {
  let site: StageSite
  private let used: [Int]

  init(_ used: [Int], _ site: StageSite) { (self.used, self.site) = (used, site) }

  var timing: StageTiming { StageTiming(.other) }

  func forward(_ pass: Pass) {
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: (self, input, output)) { work, group, _ in
      let (stage, input, output) = work
      let length = input.shape.width * input.lanes
      for y in 0..<input.shape.height {
        let source = unsafe input.row(y, group: group).base
        let target = unsafe output.row(y, group: group).base
        for index in 0..<stage.used.count {
          unsafe (target + index * length).update(
            from: source + stage.used[index] * length, count: length)
        }
      }
    }
  }

  /// Nothing: nobody asks for the gradient of a network's input.
  func backward(_ pass: Pass) {}
}
