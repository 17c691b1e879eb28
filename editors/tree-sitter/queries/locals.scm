; Names and where they hold. Nothing is shadowed in scn, so a block's names are those of the blocks around it too.
(source_file) @local.scope
(block) @local.scope

(declaration name: (name) @local.definition)
(declaration parameters: (arguments (argument name: (name) @local.definition.parameter)))
(for name: (name) @local.definition)
(use alias: (name) @local.definition.import)
(use name: (name) @local.definition.import)

(path . (name) @local.reference)
