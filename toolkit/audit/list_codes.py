"""Kinds of findings about rows, classes and pictures that are in several places."""

from toolkit.audit.code import Code

LIST_CODES = (
    Code(
        "list.malformed_line",
        "error",
        "A line of a list cannot be read as path and label.",
        "Write `path label`; separate the columns by a tab when the label holds a blank.",
        drop="rows",
    ),
    Code(
        "split.empty",
        "error",
        "A list has no row that can be read.",
        "Add rows to the list, or make the lists anew with CheckDataset.split.",
    ),
    Code(
        "label.conflict",
        "error",
        "The same picture (same path, or same pixels) has two labels.",
        "Keep the right label. The lists in fixed/ drop all rows of the picture.",
        drop="rows",
    ),
    Code(
        "label.query_absent",
        "error",
        "The label of a query has no row in the gallery, so the query can never be answered.",
        "Add pictures of this class to the gallery, or delete the query.",
        drop="rows",
    ),
    Code(
        "duplicate.train_gallery",
        "error",
        "Pictures with the same pixels are in train and in the gallery.",
        "Delete the rows from train; the lists in fixed/ do.",
        drop="train rows",
    ),
    Code(
        "duplicate.train_query",
        "error",
        "Pictures with the same pixels are in train and in query: the test was trained on.",
        "Delete the rows from train; the lists in fixed/ do.",
        drop="train rows",
    ),
    Code(
        "duplicate.query_gallery",
        "error",
        "Pictures with the same pixels are in query and in the gallery under different paths: the "
        "query finds itself. (By the same path it does not, see `split.query_in_gallery`.)",
        "Delete the rows from query; the lists in fixed/ do.",
        drop="query rows",
    ),
    Code(
        "list.duplicate_line",
        "warning",
        "A list names the same path with the same label more than once.",
        "Delete the repeats; the lists in fixed/ keep the first.",
        drop="repeats",
    ),
    Code(
        "duplicate.within_split",
        "warning",
        "One list has several files with the same pixels.",
        "Keep one of the files; copies weigh a class and count as easy matches.",
    ),
    *(
        Code(
            f"near_duplicate.{pair}",
            "warning",
            f"A picture of {second} looks the same as pictures of {first}: saved again, scaled, "
            "mirrored, turned by 180 degrees, or cut out of one another (70 % of a side and more); "
            "codes of the two within near_duplicate_radius, and details that correlate by at least "
            "the threshold.",
            "Look at the pair; when it is one picture saved twice, delete one of the rows.",
            option="near_duplicate_correlation",
        )
        for pair, first, second in (
            ("train_gallery", "train", "the gallery"),
            ("train_query", "train", "query"),
            ("query_gallery", "the gallery", "query"),
        )
    ),
    Code(
        "split.gallery_is_query",
        "warning",
        "Gallery and query list the same pictures. Evaluation then removes, for each query, the "
        "gallery row with the same path, so this is no error for each picture.",
        "Nothing, when leave-one-out is meant; otherwise list other pictures as queries.",
    ),
    Code(
        "split.query_in_gallery",
        "warning",
        "Some pictures of query are in the gallery too, by the same path. Evaluation then removes, "
        "for each such query, the gallery row with the same path, so it does not find itself.",
        "Nothing, when sets that are searched in themselves were merged with others; otherwise "
        "delete the rows from query or from the gallery.",
    ),
    Code(
        "label.one_class",
        "warning",
        "All rows of train or of the gallery have one label: nothing to tell apart.",
        "Add classes; check that the label column is the right one.",
    ),
    Code(
        "label.singleton",
        "warning",
        "A class of train has one picture; or a class of query has one, and the gallery has that "
        "one and no other. Then it has no pair of matching pictures.",
        "Add pictures to the class, or leave it out.",
    ),
    Code(
        "label.imbalance",
        "warning",
        "The largest class of train has many times the pictures of the median class.",
        "Add pictures to small classes, or draw classes evenly (PKSampler, id_avg_prob).",
        option="imbalance",
    ),
    Code(
        "label.num_classes",
        "warning",
        "Train.num_classes is not the number of labels in train.",
        "Set Train.num_classes to auto, or to the number of labels.",
    ),
    Code(
        "label.pk_classes",
        "warning",
        "Train has fewer classes than one batch of the PK sampler draws.",
        "Lower Train.batch_size, raise sample_per_id, or use the uniform sampler.",
    ),
    Code(
        "label.pk_images",
        "warning",
        "A class of train has fewer pictures than the PK sampler draws of it, so a batch holds "
        "some of them twice.",
        "Add pictures to the class, or lower sample_per_id.",
    ),
    Code(
        "near_duplicate.within_split",
        "info",
        "Pictures of one list look the same, each as another of the group; see "
        "`near_duplicate.train_query`. One finding is one group.",
        "Nothing, when several shots or crops of one thing are meant; otherwise keep one of them.",
        option="near_duplicate_correlation",
    ),
    Code(
        "split.closed_set",
        "info",
        "Train has classes that the gallery has too: evaluation measures known classes.",
        "Nothing, when that is meant; CheckDataset.split.by: class keeps classes apart.",
    ),
    Code(
        "split.open_set",
        "info",
        "Train and gallery share no class: evaluation measures classes never seen in training. "
        "Splitting such a dataset by image would end that, and is refused.",
        "Nothing.",
    ),
)
