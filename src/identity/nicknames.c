/*
 * identity/nicknames.c
 *		Given names and what they are shortened to, as data.
 *
 * Each line is one name: what its bearers are called, and its forms in other
 * languages where one person goes by both (Katarina, Catherine).
 * Words as ssot_person_key writes them. A word in several lines may stand for
 * each of them.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kind.h"
#include "identity/nicknames.h"

#include "utils/memutils.h"

static const char *const names[] = {
	/* English, with their continental relatives */
	"abigail abby abbie gail",
	"abraham abe abram bram",
	"adam addy",
	"adelaide adelheid heidi addie della",
	"albert al bert bertie alberto",
	"alexander alex alec sandy sasha sascha xander alejandro alessandro aleksandr aleksander alexandre alexandr lex sandro zander alexej alexey alexei aleksei alyosha",
	"alexandra alex sandra sandy sasha lexi alessandra alejandra aleksandra alexa ola",
	"alfred al fred alf freddie alfredo",
	"alice ali alicja alicia",
	"alison ali allie",
	"amanda mandy mandi manda",
	"andrew andy drew andreas andre andrei andrej andrey andrzej andres anders ondrej",
	"angela angie angelika angelina",
	"anna ann anne annie hanna anita anja anya ania anneliese anka annika",
	"anthony tony ant antonio anton antoine antoni toni tonio",
	"antonia toni tonia antoinette nettie",
	"archibald archie",
	"arnold arnie arno",
	"arthur art artie arturo artur",
	"augustus gus august augustin agustin",
	"barbara barb barbie babs basia barbra bobbie varvara",
	"bartholomew bart bartolome bartosz bartek",
	"beatrice bea trixie beatriz beata beatrix",
	"benjamin ben benny benji benj",
	"bernard bernie bernhard bernd barney bernardo",
	"bradley brad",
	"brenda bren",
	"bridget biddy brigitte birgit brigitta gitta gitte brigida",
	"calvin cal",
	"cameron cam",
	"carol carole caroline carolina karolina karoline carrie caro lina",
	"catherine cathy kate katie kathy cat katherine kathryn kathrin katharine katharina katrin katja katarina katarzyna kasia caterina catalina ekaterina yekaterina katya kati kathleen kat trina kay",
	"cecilia cecile celia cissy cilla",
	"charles charlie chuck chas charly",
	"karl carl kalle karel karol",
	"carlos carlo carlito",
	"charlotte lottie charlie lotte carlota carlotta",
	"christian chris kit christiaan krystian cristian kristian",
	"christina chris chrissy christine tina kristina cristina christa krystyna kirsten kerstin kristin kris",
	"christopher chris kit topher christoph cristobal krzysztof christophe cristoforo kristof kris stoffer",
	"clarence clare clarrie",
	"clifford cliff",
	"constance connie constanze costanza",
	"cornelius neil kornel cor cornelis",
	"curtis curt",
	"cynthia cindy cyndi cindi",
	"daniel dan danny daniele danilo danil",
	"danielle dani daniela danuta",
	"david dave davey davy davide dawid",
	"deborah deb debbie debby debra",
	"dennis denny den denis denise dionysius",
	"desmond des",
	"dominic dom nick dominik dominique domenico domingo",
	"donald don donny donnie",
	"dorothy dot dottie dolly dorothea dorota dora thea doro dorothee",
	"douglas doug dougie",
	"edgar ed eddie ned",
	"edmund ed eddie ned ted edmond",
	"edward ed eddie ted teddy ned eduard eduardo edoardo edouard edek",
	"edwin ed eddie",
	"eleanor ellie nell nora ella elinor leonora lenora eleonore eleonora nellie",
	"elizabeth liz beth lizzie betty betsy eliza elisabeth elsa elise elisa lisa lisbeth libby bess bessie lisette elzbieta ela lilibeth elisabetta elke liesel lise liza",
	"emily em emmy emilia emilie millie",
	"emma em emmie",
	"eric rick ricky erik erich",
	"ernest ernie ernst ernesto",
	"esther essie ester hettie",
	"eugene gene eugen eugenio evgeny evgeni yevgeni yevgeny zhenya jenya",
	"evelyn eve evie evelina",
	"felicity fliss flick felicia",
	"florence flo florrie flossie",
	"frances fran franny frankie francesca franziska francoise francisca franca cesca franzi fanny",
	"francis frank fran frankie franz francesco francisco francois franciszek frantisek paco pancho cisco franco franek frans",
	"franklin frank frankie",
	"frederick fred freddy freddie fritz friedrich fredrik federico frederic fryderyk rick fredric",
	"gabriel gabe gabriele gabi",
	"gabrielle gabby gabi gabriela gabriella gaby",
	"geoffrey geoff jeff jeffrey jeffery jeffry gottfried",
	"george georgie georg jorge giorgio georges",
	"jurgen jorgen",
	"jerzy jurek",
	"yuri juri jurij",
	"georgina gina georgia georgie",
	"gerald gerry jerry gerhard gerd gerard gerardo gert",
	"geraldine gerry gerri",
	"gertrude trudy gertie gertrud traudl trude",
	"gilbert gil bert gilberto",
	"gregory greg gregor gregg grzegorz gregorio grigori grigory grisha grzes",
	"gwendolyn gwen wendy gwendoline",
	"harold harry hal harald",
	"harriet hattie harriett henriette henrietta",
	"helen nell ellen elena helena helene lena nelly alena yelena",
	"henry harry hank hal henri",
	"heinrich heinz heiner hinrich henrik hendrik henryk",
	"enrique quique enrico rico",
	"herbert herb bert bertie heriberto",
	"herman hermann harm armando",
	"hugh hughie hugo hubert ugo",
	"ignatius iggy ignacio ignaz nacho ignacy",
	"isaac ike zac izaak itzhak",
	"isabel isabella bella izzy izabela isabelle isa belle ysabel",
	"jacob jake jack jakob jakub jacobo giacomo jacopo kuba jaap",
	"jacqueline jackie jacqui jacquelyn jacky",
	"james jim jimmy jamie jem jimmie",
	"santiago diego iago tiago yago",
	"jane janie jenny jean joan joanna jeanne johanna giovanna juana janina janet jana jeanette jeannette janice",
	"jennifer jen jenny jenni jenn jennie",
	"jeremy jerry jem jeremiah jeremias",
	"jerome jerry",
	"jessica jess jessie jesse",
	"joachim jochen achim joaquin jochim jo",
	"joan joanie joanna joanne johanna jo",
	"john jack johnny jon johnnie jonny",
	"johannes hans johann hannes jan hanns hansi johan",
	"giovanni gianni vanni",
	"juan juanito juancho",
	"ivan vanya ivo",
	"jan janek janusz jano",
	"sean shaun shane",
	"jonathan jon jonny nathan jonathon johnathan",
	"joseph joe joey jos josef jose giuseppe pepe beppe jozef sepp pino jo josip peppe jupp",
	"josephine jo josie fifi josefine giuseppina josefa",
	"joshua josh josua",
	"joyce joy",
	"judith judy judi jutta judita",
	"julian jules juliano julien giuliano",
	"julia julie jules giulia juliana julita juliette julija julianna",
	"karen kari karin carin katrin",
	"kenneth ken kenny kenn",
	"kimberly kim kimmy kimberley kym",
	"laura laurie lori lauren laure lara",
	"lawrence larry laurie lars laurence lorenz lorenzo laurent laurens loren lawrie",
	"leonard len leo lenny leonardo leonhard leon lennart lenz",
	"leopold leo poldi leopoldo",
	"leslie les lesley",
	"lillian lily lil lilly liliana lilian",
	"linda lindy lyn lynn",
	"louis lou louie lewis ludwig luis luigi luiz ludovic ludwik ludvik gino lutz",
	"louise lou lulu luisa luise louisa ludwika",
	"lucas luke luca lukas luc lukasz",
	"lucy lu lucia lucie luzie lucja",
	"madeline maddie maddy madeleine magdalena magda lena leni madelyn",
	"margaret maggie meg peggy marge margie greta rita madge margarita margarete margarethe margherita marguerite margit gretel gretchen grete margot malgorzata gosia marketa gitta daisy margret margo margarethe maisie",
	"mark marc marcus marco marcos marko marek markus marcin",
	"martha marta patty mattie",
	"martin marty martino martijn marcin",
	"mary molly polly mae mitzi",
	"maria marie mia ria mitzi mariechen marija mariya masha marika marja mariella",
	"matilda tilly mathilde matilde tilda mattie",
	"matthew matt matty matthias mathias mathieu matteo mateo mateusz matthieu mats mathew hias matej matyas",
	"maurice mo morris moritz mauricio maurizio maury",
	"maximilian max maxim maximiliano maksymilian maks massimiliano massimo maxime",
	"melissa mel missy lissa",
	"michael mike mick micky mickey mikey michel michele miguel mikhail michal mikael misha mischa mikko michiel micha mitch mitchell michail",
	"michelle shelly micki michele micaela",
	"mildred millie",
	"miranda mandy randy",
	"mohammed mo mohamed muhammad mohammad mehmet muhammed mohamad",
	"monica mona monika moni",
	"nancy nan nance",
	"natalie nat natalia natasha nathalie natalya nata natascha",
	"nathaniel nat nate nathan nathanael",
	"nathan nate nat",
	"nicholas nick nicky nico nicolas nikolaus nikolas klaus claus nikolai nikolay mikolaj nicolo kolya nicolaas niklas nikola miklos nic nikos",
	"nicole nicky nikki nicola nicoletta nicolette",
	"norman norm normand",
	"oliver ollie olli olivier oliviero noll",
	"olivia liv livvy olive ollie",
	"oscar oskar ozzie",
	"oswald oz ozzie",
	"pamela pam pammy pamella",
	"patricia pat patty tricia trish patti patrizia patrycja trisha patsy",
	"patrick pat paddy rick patryk patrice patricio patrik padraig",
	"paul paulie pablo paolo pavel pawel paulo pauli pal",
	"paula paulina pauline pola polly paola paulette",
	"penelope penny",
	"peter pete pedro pietro pierre piotr petr piet pieter petya petri peer per",
	"philip phil pip philipp filip felipe filippo philippe phillip felipa lip",
	"phyllis phyl",
	"priscilla cilla prissy",
	"rachel rae shelley raquel rachael rahel rachele",
	"randolph randy rand randall",
	"raymond ray raimund ramon raimondo raimundo raymund",
	"rebecca becky bec becca rebekah reba rebeka rebekka",
	"reginald reg reggie rex reinhold rainer reiner reinhard",
	"richard rick dick rich ricky richie ricardo riccardo rico ritchie ryszard rik richi dickie",
	"robert bob rob bobby robbie bert roberto robb",
	"roberta bobbie robbie berta",
	"rodney rod roddy",
	"roger rodger hodge rudiger ruggero rogelio rog",
	"roland rolly rolando orlando roly",
	"ronald ron ronnie ronny reinhold ronaldo",
	"rosemary rose rosie rosemarie romy rosa rosalie rosalind",
	"russell russ rusty",
	"samantha sam sammy",
	"samuel sam sammy samuele samuil",
	"sandra sandy sondra",
	"sarah sally sadie sara sari zara",
	"sebastian seb bastian basti bas sebastiano sebastien bastien seba",
	"sharon shari sharron",
	"sidney sid sydney syd",
	"simon si simone szymon simeon",
	"sofia sophie sophia zofia sofie sonja sonia sonya zosia",
	"solomon sol salomon",
	"stanley stan stanislav stanislaw stanislaus staszek stas",
	"stephanie steph stephie stefanie stefania stefani steffi fanny",
	"stephen steve steven stevie stefan stephan stefano esteban etienne estevan steffen szczepan stepan",
	"stuart stu stewart",
	"susan sue suzy susie suzanne susanna susanne zuzana zsuzsanna zuzanna sanne suse suzanna suzie susi susanna",
	"sylvester sly silvester",
	"sylvia silvia sylvie silvie sylwia silke",
	"tabitha tabby",
	"terence terry terrence tel terrance",
	"theodore ted teddy theo theodor teodor fyodor fedor feodor teodoro teo",
	"theresa terry tess teresa tessa therese resi terri teri tracy teresita",
	"thomas tom tommy thom tomas tommaso tomasz tomek thommy tomaso",
	"timothy tim timmy timo timofey timotheus",
	"tobias toby tobi tobiah tobia",
	"ursula ulla uschi urszula ursel ulli",
	"valentine val valentin valentino walenty",
	"valerie val valeria valerija",
	"veronica ronnie vera vroni veronika veronique weronika nica roni",
	"victor vic vick viktor vittorio wiktor victorio",
	"victoria vicky vicki tori viktoria vittoria vic vika wiktoria vickie",
	"vincent vince vinny vin vinzenz vicente vincenzo enzo wincenty vinnie",
	"virginia ginny ginger virginie gina",
	"vivian viv viviana vivien vivienne",
	"walter walt wally wat walther gualtiero waldemar",
	"wendy wen",
	"wilfred wilf fred will wilfried willy",
	"wilhelmina mina minnie willa wilma helmi minna",
	"william bill will billy willy liam wilhelm willem guillaume guillermo guglielmo vilhelm willi wim bil",
	"winifred winnie freda fred",
	"zachary zach zack zac zacharias zachariah",

	/* German */
	"adalbert bert adi",
	"adolf adi dolf adolfo adolphe",
	"annegret anne gret anke",
	"burkhard burkhart bukki",
	"christoph chris stoffel christof",
	"dieter didi dietrich diether dirk",
	"dietmar didi dietmer",
	"eberhard ebbe hardy",
	"friedhelm helm friedel",
	"gudrun gudi",
	"gunther gunter guenther guenter gunnar",
	"hannelore hanne lore",
	"hildegard hilde hilda hildi",
	"ingeborg inge inga",
	"irmgard irma irmi",
	"karlheinz kalle heinz",
	"konrad conrad kurt konni conny",
	"manfred manni fred manny",
	"marianne anne nanni mariana marianna",
	"mechthild mechtild hilde",
	"reinhard reini hardy",
	"rudolf rudi rolf rudolph rodolfo ralf ralph rudy",
	"siegfried sigi siggi siegi sigfrid",
	"sigrid siri sigi",
	"ulrich uli ulli ulrik udo",
	"ulrike uli ulla rike ulrika",
	"volker volki volkmar",
	"waltraud traudl traudel",
	"werner wern verner",
	"wolfgang wolf wolfi wolferl",

	/* French */
	"alphonse alfonso alfons fonsi alonso",
	"bertrand bert",
	"dominique dom domi",
	"emmanuel manu manuel emanuel immanuel manolo",
	"frederique fred",
	"genevieve genny ginette viviane genoveva",
	"gilles gil gilou",
	"guy guido vito veit",
	"jeanluc jean luc",
	"jerome jej",
	"mathilde tilde",
	"philippine pippa",
	"pierrick pierre",
	"sylvain sylvestre",
	"thierry titi dietrich",
	"yves yvon ivo",

	/* Spanish and Portuguese */
	"concepcion concha conchita",
	"consuelo chelo",
	"dolores lola loli lolita",
	"encarnacion encarna",
	"fernando nando ferdinand ferdinando fernand",
	"guadalupe lupe lupita",
	"jesus chus chuy suso",
	"mercedes merche meche",
	"montserrat montse",
	"pilar pili",
	"rafael rafa raphael raffaele rafal raffael",
	"rosario charo",
	"salvador chava salva salvatore toto",
	"soledad sole",

	/* Italian */
	"bartolomeo bartolo meo",
	"domenico mimmo nico",
	"gaetano tano cajetan",
	"gennaro rino",
	"giacinto giaci",
	"raimondo ray",
	"rosalba alba",
	"vincenza enza",

	/* Slavic */
	"agnieszka aga agnes agnese agniesia agnieska",
	"aleksandra ola olenka",
	"anastasia nastya asya stacy nastia anastazja",
	"boguslaw bogus bogdan",
	"boleslaw bolek",
	"boris borya borys",
	"czeslaw czesiek",
	"dmitri dima mitya dmitry dimitri dmitriy dmitrij dimitar mitja",
	"galina galya",
	"irena irina ira irene irka irenka ireneusz",
	"jadwiga jadzia hedwig hedy hedda",
	"jaroslaw jarek jaroslav",
	"jelena lena lenka",
	"kazimierz kazik casimir",
	"konstantin kostya kostja constantin konstanty costa",
	"leonid lenya",
	"ludmila lyuda mila ljudmila",
	"miroslav mirek mirko miroslaw",
	"nadezhda nadya nadia nadja nadine",
	"oksana ksenia xenia ksenija",
	"olga olya",
	"pavlina pavla",
	"radoslaw radek radoslav",
	"roman romek romain romano",
	"sergei serge sergej sergey seryozha sergio sergiusz serhiy",
	"svetlana sveta lana",
	"tadeusz tadek thaddeus tad",
	"tatiana tanya tania tatjana tanja tatyana",
	"valery valeri valerij valera walerian",
	"vasily vasya vasili basil wassily vasilij",
	"vladimir vova volodya wladimir vlad wlodzimierz wlodek volodymyr",
	"vladislav vlad wladyslaw ladislav laszlo wladek vladko",
	"vyacheslav slava",
	"wojciech wojtek adalbert vojtech",
	"zbigniew zbyszek",
	"zdzislaw zdzich",
};

/* A word of a line; several slots where it is in several. */
typedef struct NameSlot
{
	const char *word;			/* not terminated */
	uint8		length;
	uint16		name;			/* 0: free */
} NameSlot;

#define NAME_SLOTS	8192

static NameSlot *slots = NULL;

static uint32
first_slot(const char *word, int len)
{
	return (uint32) ssot_hash_text(word, len) % NAME_SLOTS;
}

static void
index_names(void)
{
	NameSlot   *table;

	if (slots != NULL)
		return;
	table = MemoryContextAllocZero(TopMemoryContext, sizeof(NameSlot) * NAME_SLOTS);
	for (int n = 0; n < lengthof(names); n++)
		for (const char *word = names[n]; *word;)
		{
			int			len = strcspn(word, " ");
			uint32		i = first_slot(word, len);

			while (table[i].name != 0)
				i = (i + 1) % NAME_SLOTS;
			table[i] = (NameSlot)
			{
				word, len, n + 1
			};
			word += len;
			word += *word == ' ';
		}
	slots = table;
}

int
ssot_full_names(const char *word, int len, int found[SSOT_MAX_FULL_NAMES])
{
	int			count = 0;

	index_names();
	for (uint32 i = first_slot(word, len);
		 slots[i].name != 0 && count < SSOT_MAX_FULL_NAMES;
		 i = (i + 1) % NAME_SLOTS)
	{
		bool		again = false;

		if (slots[i].length != len || memcmp(slots[i].word, word, len) != 0)
			continue;
		for (int k = 0; k < count && !again; k++)
			again = found[k] == slots[i].name;
		if (!again)
			found[count++] = slots[i].name;
	}
	return count;
}
