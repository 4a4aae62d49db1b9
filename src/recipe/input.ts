// A recipe as a person may write it, most keys left out. Made by scripts/make-recipe-input.ts from schema.ts: change that file.
// biome-ignore-all format: generated

export interface RecipeInput {
  /** Where an editor finds the schema of recipes; a run does not look at it */
  $schema?: string | undefined;
  /** Name of the run and of its folder under checkpoints/; default: the recipe file's name */
  name?: string | undefined;
  /** Seed of everything that is random @default 7 */
  seed?: number | undefined;
  /** gpu fails where there is none @default "auto" */
  device?: "auto" | "cpu" | "gpu" | undefined;
  /** The network. Any architecture field that is set here replaces the variant's */
  model?: {
    /** Architecture @default "nano" */
    variant?: "nano" | "small" | "medium" | "large" | "base" | "large-deprecated" | "mini" | "seg-mini" | "seg-preview" | "seg-nano" | "seg-small" | "seg-medium" | "seg-large" | "seg-xlarge" | "seg-2xlarge" | "custom" | undefined;
    /** The DINOv2 encoder: its size, or a name of the reference */
    encoder?: {
      /** Width of the vision transformer */
      hidden_size: number;
      /** Attention heads of a block; must divide hidden_size */
      num_attention_heads: number;
      /** Number of blocks */
      num_hidden_layers: number;
      /** Width of a block's MLP over hidden_size @default 4 */
      mlp_ratio?: number | undefined;
    } | "dinov2_windowed_small" | "dinov2_windowed_base" | undefined;
    /** Side of the square input, in pixels; a multiple of patch_size * num_windows */
    resolution?: number | undefined;
    /** Side of a patch, in pixels */
    patch_size?: number | undefined;
    /** Attention windows a side */
    num_windows?: number | undefined;
    /** Side of the table of position embeddings, in patches */
    positional_encoding_size?: number | undefined;
    /** Counts of blocks (from 1) after which a feature map is taken */
    out_feature_indexes?: number[] | undefined;
    /** Levels of the feature pyramid that the decoder attends to */
    projector_scale?: ("P3" | "P4" | "P5" | "P6")[] | undefined;
    /** Width of the decoder */
    hidden_dim?: number | undefined;
    /** Number of decoder layers */
    dec_layers?: number | undefined;
    /** Heads of the decoder's self-attention */
    sa_nheads?: number | undefined;
    /** Heads of the decoder's deformable attention */
    ca_nheads?: number | undefined;
    /** Sampling points a head and level of the deformable attention */
    dec_n_points?: number | undefined;
    /** Width of a decoder layer's MLP */
    dim_feedforward?: number | undefined;
    /** Object queries a group: the most objects that an image can have; more than the weights to start from have are grown from theirs */
    num_queries?: number | undefined;
    /** Detections kept an image; as many as num_queries where that is more than the variant keeps */
    num_select?: number | undefined;
    /** Groups of queries in training */
    group_detr?: number | undefined;
    /** Give a mask for each box, too: true for the variants seg-..., false for the others */
    segmentation_head?: boolean | undefined;
    /** Number of classes; auto takes it from the data set @default "auto" */
    num_classes?: "auto" | number | undefined;
    /** Keep the DINOv2 encoder's weights as they are @default false */
    freeze_encoder?: boolean | undefined;
  } | undefined;
  /** Weights to start from: a published name such as rf-detr-nano, a path, or none; default: the variant's own */
  weights?: string | undefined;
  /** Class rows of the weights to start from: keep-first takes them in their order whatever they stand for, as the reference does; transplant gives each class the row of the class of its name, and new classes start from scratch @default "keep-first" */
  heads?: "keep-first" | "transplant" | undefined;
  /** Images and labels; paths are relative to the current folder */
  data?: {
    /** Folder or zip file of the data set; its layout is detected @default null */
    dir?: string | null | undefined;
    /** The training split, where its files are named instead of found in data.dir @default null */
    train?: {
      /** Folder of the images */
      images: string;
      /** COCO JSON file */
      annotations: string;
    } | null | undefined;
    /** The validation split, where its files are named instead of found in data.dir @default null */
    val?: {
      /** Folder of the images */
      images: string;
      /** COCO JSON file */
      annotations: string;
    } | null | undefined;
    /** The test split, where its files are named instead of found in data.dir @default null */
    test?: {
      /** Folder of the images */
      images: string;
      /** COCO JSON file */
      annotations: string;
    } | null | undefined;
    /** Share of the training images that becomes the validation split of a data set without one: by class, copies and groups never on both sides; the run keeps it in split.json @default null */
    val_fraction?: number | null | undefined;
    /** Seed of the split that data.val_fraction makes; seed does not change it, so that runs compare @default 0 */
    split_seed?: number | undefined;
    /** Regular expression on file names whose first part in brackets names a group, such as a video or a patient, that data.val_fraction keeps on one side; null: copies that Roboflow made of a picture are one @default null */
    group?: string | null | undefined;
    /** Train although pictures lie in two splits, byte for byte, so that what is measured is not held out @default false */
    allow_leaks?: boolean | undefined;
    /** Whether data.val_fraction keeps pictures on one side that look nearly the same; together looks at every picture @default "together" */
    near_duplicates?: "together" | "apart" | undefined;
    /** Largest share of an epoch's images that are without boxes, which take turns; all: they are shown as all others @default "all" */
    negatives?: number | "all" | undefined;
    /** Merge, rename, drop and keep classes by name; evaluate does the same to the data set it measures on @default null */
    classes?: {
      /** Classes that stay, as they are called in the files or after renaming; all others are dropped */
      keep?: string[] | undefined;
      /** Classes whose boxes are left out */
      drop?: string[] | undefined;
      /** New names by the names in the files; two of one new name become one class */
      rename?: Record<string, string> | undefined;
      /** Names in the files by the name of the class that they become */
      merge?: Record<string, string[]> | undefined;
    } | null | undefined;
    /** Images a forward pass; auto tries what fits into memory and is fastest @default 4 */
    batch_size?: number | "auto" | undefined;
    /** Pictures with an EXIF orientation: as-stored takes their pixels as they are, as the reference does; apply turns them, for boxes that were drawn on the turned picture @default "as-stored" */
    exif?: "as-stored" | "apply" | undefined;
    /** Images that may turn out to be damaged while a run is under way: in training the next one takes their place, in an evaluation they are left out; beyond that the run stops @default 10 */
    max_broken?: number | undefined;
    /** Threads that read and decode images @default 2 */
    workers?: number | undefined;
    /** New order of the images in each epoch @default true */
    shuffle?: boolean | undefined;
    /** Random changes to training images: the two keys, a preset of the reference, or a list of steps such as { name: rotate, limit: 15, p: 0.5 }, done in their order (docs/augmentation.md) */
    augment?: {
      /** Probability of a left-right flip @default 0.5 */
      horizontal_flip?: number | undefined;
      /** Half of the time: resize to a short side of 400, 500 or 600, then cut a square out @default true */
      scale_jitter?: boolean | undefined;
    } | "none" | "default" | "conservative" | "aggressive" | "aerial" | "industrial" | ({ name: "scale_jitter"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "horizontal_flip"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "vertical_flip"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "transpose"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_rotate90"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "rotate"; /** Degrees, counter-clockwise, from where to where; a number is how far both ways */ limit?: number | number[] | undefined; /** Colour of what comes from outside of the picture: one number, or red, green and blue @default 0 */ fill?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "affine"; /** Factor on the size: a number, from where to where, or x and y; drawn for each axis */ scale?: number | number[] | { /** Across */ x: number | number[]; /** Down */ y: number | number[]; } | undefined; /** Shift as a share of width and height: a number, from where to where, or x and y */ translate_percent?: number | number[] | { /** Across */ x: number | number[]; /** Down */ y: number | number[]; } | undefined; /** Degrees, counter-clockwise: a number, or from where to where @default 0 */ rotate?: number | number[] | undefined; /** Degrees: a number, from where to where, or x and y */ shear?: number | number[] | { /** Across */ x: number | number[]; /** Down */ y: number | number[]; } | undefined; /** One factor for both axes @default false */ keep_ratio?: boolean | undefined; /** Smaller as often as larger, whatever the range @default false */ balanced_scale?: boolean | undefined; /** Colour of what comes from outside of the picture: one number, or red, green and blue @default 0 */ fill?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "shift_scale_rotate"; /** Shift as a share of width and height; a number is how far both ways */ shift_limit?: number | number[] | undefined; /** Added to a factor of 1 on the size; a number is how far both ways */ scale_limit?: number | number[] | undefined; /** Degrees, counter-clockwise; a number is how far both ways */ rotate_limit?: number | number[] | undefined; /** Colour of what comes from outside of the picture: one number, or red, green and blue @default 0 */ fill?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "perspective"; /** Standard deviation of how far corners move inwards, as a share of the sides */ scale?: number | number[] | undefined; /** Colour of what comes from outside of the picture: one number, or red, green and blue @default 0 */ fill?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_scale"; /** Added to a factor of 1 on the size, before a crop; a number is how far both ways */ scale_limit?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_crop"; /** Rows of the part, in pixels */ height: number; /** Columns of the part, in pixels */ width: number; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_resized_crop"; /** Share of the picture's area */ scale?: number[] | undefined; /** Width over height */ ratio?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_sized_bbox_safe_crop"; /** How much may be cut off the rectangle around all boxes @default 0 */ erosion_rate?: number | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "mosaic"; /** Where the four pictures meet, as a share of width and height */ center_range?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "mixup"; /** How much of its colours the picture keeps */ share_range?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "copy_paste"; /** Share of the other picture's objects that are pasted; only those with masks are @default 0.5 */ share?: number | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_brightness_contrast"; /** Added to all colours, as a share of the largest; a number is how far both ways */ brightness_limit?: number | number[] | undefined; /** Added to a factor of 1 on all colours; a number is how far both ways */ contrast_limit?: number | number[] | undefined; /** Brightness is a share of the largest colour there can be; false: of the picture's mean @default true */ brightness_by_max?: boolean | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "color_jitter"; /** Factor on all colours; a number is how far from 1 both ways */ brightness?: number | number[] | undefined; /** Factor on the distance from the picture's mean grey; a number is how far from 1 both ways */ contrast?: number | number[] | undefined; /** Factor on the distance from each pixel's grey; a number is how far from 1 both ways */ saturation?: number | number[] | undefined; /** Turns of the circle of colours; a number is how far both ways */ hue?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "hue_saturation_value"; /** Added to the hue, in half degrees; a number is how far both ways */ hue_shift_limit?: number | number[] | undefined; /** Added to the saturation of 255; a number is how far both ways */ sat_shift_limit?: number | number[] | undefined; /** Added to the value of 255; a number is how far both ways */ val_shift_limit?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "random_gamma"; /** Hundredths of the exponent on colours from 0 to 1; a number is the end of a range from 1 */ gamma_limit?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "clahe"; /** How steep lightness may become; a number is the end of a range from 1 */ clip_limit?: number | number[] | undefined; /** Tiles across and down, each of which has its own histogram */ tile_grid_size?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "equalize"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "to_gray"; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "sharpen"; /** Share of the sharpened picture in what comes out */ alpha?: number[] | undefined; /** Lightness of the sharpened picture */ lightness?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "blur"; /** Side of the square whose mean is taken, odd, in pixels; a number is the end of a range from 3 */ blur_limit?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "gaussian_blur"; /** Side of the kernel, odd, in pixels, 0 for what sigma needs; a number is the end of a range from 0 @default 0 */ blur_limit?: number | number[] | undefined; /** Standard deviation in pixels; a number is the end of a range from 0 */ sigma_limit?: number | number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "motion_blur"; /** Length of the line whose mean is taken, odd, in pixels; a number is the end of a range from 3 */ blur_limit?: number | number[] | undefined; /** The line may lie beside the pixel @default true */ allow_shifted?: boolean | undefined; /** Angle of the line in degrees */ angle_range?: number[] | undefined; /** Where the line goes from the pixel: -1 behind it only, 0 both ways, 1 before it only */ direction_range?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "gauss_noise"; /** Standard deviation as a share of the largest colour */ std_range?: number[] | undefined; /** Each channel has noise of its own; false: grey noise @default true */ per_channel?: boolean | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "image_compression"; /** Quality of the JPEG, 1 to 100 */ quality_range?: number[] | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined } | { name: "coarse_dropout"; /** How many holes; boxes and masks stay */ num_holes_range?: number[] | undefined; /** Height as a share of the picture's; from 1 on in pixels */ hole_height_range?: number[] | undefined; /** Width as a share of the picture's; in pixels where the height is */ hole_width_range?: number[] | undefined; /** Colour of a hole: one number for all channels, random for each pixel, or random_uniform for each hole @default 0 */ fill?: number | "random" | "random_uniform" | undefined; /** Probability of the step @default 0.5 */ p?: number | undefined })[] | undefined;
    /** In the last so many epochs, augment leaves out the steps after which a picture has empty parts or is put together of several @default 0 */
    close_augment_epochs?: number | undefined;
    /** Small objects: train on overlapping parts of the pictures that are larger than `size`, and evaluate whole pictures by what is found in their parts and in all of them @default "none" */
    slices?: {
      /** Side of the parts, in pixels of the picture */
      size: number;
      /** Share of its side that a part has in common with the next one @default 0.2 */
      overlap?: number | undefined;
      /** Share of the parts without objects that is trained on, drawn by the seed @default 0.1 */
      background?: number | undefined;
    } | "none" | undefined;
    /** Random input sizes while training: one for each update, or one for each image @default "off" */
    multi_scale?: "per-batch" | "per-sample" | "off" | undefined;
    /** Showing images of rare classes more often: repeat-factor as in LVIS (classes in less than a thousandth of the images), balanced (every class equally often) @default "none" */
    resample?: "none" | "repeat-factor" | "balanced" | undefined;
  } | undefined;
  /** Optimisation */
  train?: {
    /** Passes over the training images @default 50 */
    epochs?: number | undefined;
    /** Stop after this many optimizer steps @default null */
    max_steps?: number | null | undefined;
    /** Stop, resumable, after this many hours of the run in all @default null */
    max_hours?: number | null | undefined;
    /** Batches that add up to one step, as one large batch would @default 4 */
    grad_accum_steps?: number | undefined;
    /** Learning rate of everything but the encoder @default 0.0001 */
    lr?: number | undefined;
    /** Learning rate of the encoder's last layer @default 0.00015 */
    lr_encoder?: number | undefined;
    /** Factor on the learning rate for each encoder layer further down @default 0.8 */
    lr_vit_layer_decay?: number | undefined;
    /** Factor on the learning rate of the decoder; squared, of the encoder @default 0.7 */
    lr_component_decay?: number | undefined;
    /** AdamW weight decay @default 0.0001 */
    weight_decay?: number | undefined;
    /** Largest global norm of the gradient; 0 leaves gradients as they are @default 0.1 */
    clip_max_norm?: number | undefined;
    /** Stochastic depth: how likely the encoder's last block is dropped; less for those before it @default 0 */
    drop_path?: number | undefined;
    /** Segmenters: weight of the masks' cross-entropy, in the loss and in the matching @default 5 */
    mask_ce_loss_coef?: number | undefined;
    /** Segmenters: weight of the masks' dice loss, in the loss and in the matching @default 5 */
    mask_dice_loss_coef?: number | undefined;
    /** Segmenters: cells of a mask for each random point at which it is compared @default 16 */
    mask_point_sample_ratio?: number | undefined;
    /** Segmenters: what an object without a mask in the annotations does. skip: its mask is not trained. empty: it is trained to have no pixel, as the reference does @default "skip" */
    missing_masks?: "skip" | "empty" | undefined;
    /** Learning-rate schedule */
    schedule?: {
      /** Shape of the learning rate over the run @default "cosine" */
      name?: "cosine" | "step" | "constant" | undefined;
      /** Epochs of linear rise from 0; fractions are allowed @default 1 */
      warmup_epochs?: number | undefined;
      /** cosine: what is left of the learning rate at the end @default 0.05 */
      min_factor?: number | undefined;
      /** step: the epoch from which the learning rate is a tenth @default 100 */
      lr_drop?: number | undefined;
    } | undefined;
    /** Staged unfreezing: weights that a stage does not name are frozen in it; null trains all from the start @default null */
    stages?: {
      /** First epoch of the stage, from 0 */
      from_epoch: number;
      /** What trains: backbone, projector, decoder, heads, all, or paths such as backbone.blocks.8-11 and decoder.layers.*.norm1 */
      train: string[];
      /** Multiplies the learning rates of the stage @default 1 */
      lr_factor?: number | undefined;
    }[] | null | undefined;
    /** Compute activations again in the backward pass to save memory @default "none" */
    gradient_checkpointing?: "none" | "backbone" | "decoder" | "all" | undefined;
    /** graph: record the stages of a step, and the network of an evaluation, on their first two runs with images of a size, and run them as functions of TensorFlow from the third on. The numbers are the same to the byte. xla: these functions are compiled and fused by XLA, which rounds differently and takes longer to start. auto: time a step both ways and take the quicker. off: every operation is called by itself @default "graph" */
    compile?: "off" | "graph" | "xla" | "auto" | undefined;
    /** bf16: matrix products and convolutions, of training and of its evaluations, in bfloat16 (8 bits, float32's range) with sums in float32, as torch.autocast has it; weights, normalisation, softmax, losses and optimizer stay in float32. Quicker on processors with AMX or AVX-512 BF16, and takes less memory. auto: time a step both ways and take bf16 where it is quicker. none: all in float32 @default "none" */
    amp_dtype?: "none" | "bf16" | "auto" | undefined;
    /** Moving average of the weights; it is what is evaluated and what is best */
    ema?: {
      /** Share of the average that is kept at each step @default 0.993 */
      decay?: number | undefined;
      /** Steps over which the decay rises @default 100 */
      tau?: number | undefined;
    } | "none" | undefined;
  } | undefined;
  /** COCO evaluation */
  eval?: {
    /** Evaluate on val after every so many epochs, and at the end @default 1 */
    every_epochs?: number | undefined;
    /** Images of one forward pass of an evaluation; null: as many as data.batch_size @default null */
    batch_size?: number | null | undefined;
    /** Detections an image that count; as many as model.num_queries where that is more and this is left out @default 500 */
    max_dets?: number | undefined;
    /** Measure the loss on val, too: val_loss and its terms in the evaluation's row @default true */
    loss?: boolean | undefined;
    /** Where the data set has a test split with labels: evaluate the best weights on it once, at the end of the run, and say whether precision and recall are what val promised @default true */
    run_test?: boolean | undefined;
  } | undefined;
  /** Which checkpoint is the best, and which detections count */
  selection?: {
    /** Metric of val by which a checkpoint is the best: AP50:95, AP50, AP75, AR, segm AP50:95, segm AP50, segm AP75, segm AR, or AP:class; null: that of early_stopping, else AP50:95, of a segmenter segm AP50:95 @default null */
    metric?: string | null | undefined;
    /** The first so many epochs give no best checkpoint, and early stopping does not count them @default 0 */
    skip_best_epochs?: number | undefined;
    /** The score from which detections count, chosen on val for all classes and for each; it goes into checkpoints and exported files */
    thresholds?: {
      /** best-f1: where precision and recall are balanced best. precision: the lowest score from which so large a share of the detections is right. recall: the highest from which so large a share of the objects is found @default "best-f1" */
      by?: "best-f1" | "precision" | "recall" | undefined;
      /** The precision or recall that is asked for @default 0.9 */
      at?: number | undefined;
    } | undefined;
  } | undefined;
  /** Stop when a metric of the evaluated weights no longer improves @default "none" */
  early_stopping?: {
    /** What must improve on val, and chooses the best checkpoint: AP50:95, AP50, AP75, AR, segm AP50:95, segm AP50, segm AP75, segm AR, or AP:class. It is selection.metric where that is set @default "AP50:95" */
    metric?: string | undefined;
    /** Evaluations without improvement until the run stops @default 10 */
    patience?: number | undefined;
    /** Only a rise of more than this is an improvement @default 0.001 */
    min_delta?: number | undefined;
  } | "none" | undefined;
  /** Checkpoints */
  checkpoint?: {
    /** Save after every so many epochs @default 1 */
    every_epochs?: number | null | undefined;
    /** Save after every so many optimizer steps, too @default null */
    every_steps?: number | null | undefined;
    /** How many of the newest to keep @default 2 */
    keep_last?: number | undefined;
    /** How many of the best to keep besides @default 3 */
    keep_best?: number | undefined;
    /** Keep one for good after every so many epochs @default 10 */
    keep_every?: number | null | undefined;
  } | undefined;
  /** What is recorded */
  track?: {
    /** A training row in metrics.jsonl after every so many steps @default 10 */
    every_steps?: number | undefined;
    /** Write TensorBoard event files @default true */
    tensorboard?: boolean | undefined;
    /** Show in TensorBoard how the gradients of each weight are distributed; reading them takes time @default false */
    gradient_histograms?: boolean | undefined;
    /** Weights & Biases @default "none" */
    wandb?: {
      /** W&B project */
      project: string;
      /** W&B user or team @default null */
      entity?: string | null | undefined;
      /** offline records for a later sync @default "online" */
      mode?: "online" | "offline" | undefined;
    } | "none" | undefined;
  } | undefined;
  /** Export after training */
  export?: {
    /** Write model.onnx at the end, verified on validation images @default true */
    onnx?: boolean | undefined;
  } | undefined;
}
